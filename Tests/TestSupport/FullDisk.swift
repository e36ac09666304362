import Foundation

/// A small file system, mounted on a directory. Takes root.
package final class FullDisk: Sendable {
  package let path = "/tmp/smsq-disk-\(UUID().uuidString)"

  /// Whether this user may mount, asked of the kernel.
  package static let isPossible: Bool = getuid() == 0 && (try? FullDisk()) != nil

  /// - Parameter megabytes: its size.
  package init(megabytes: Int = 1) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    guard mount("none", path, "tmpfs", 0, "size=\(megabytes)m") == 0 else {
      rmdir(path)
      throw CocoaError(.fileWriteNoPermission)
    }
  }

  deinit {
    umount2(path, Int32(MNT_DETACH))
    rmdir(path)
  }

  /// - Parameter room: how many bytes to leave: whole pages.
  package func fill(leaving room: Int = 0) throws {
    let file = open("\(path)/ballast", O_WRONLY | O_CREAT | O_APPEND, 0o600)
    defer { close(file) }
    for size in [4096, 1] {
      let block = [UInt8](repeating: 0, count: size)
      while write(file, block, size) > 0 {}
    }
    if room > 0 { ftruncate(file, lseek(file, 0, SEEK_END) - off_t(room)) }
  }

  package func makeRoom() throws { try FileManager.default.removeItem(atPath: "\(path)/ballast") }
}
