import Foundation

/// A file system of one megabyte, mounted on a directory. Takes root.
final class FullDisk: Sendable {
  let path = "/tmp/smsq-disk-\(UUID().uuidString)"

  /// Whether this user may mount, asked of the kernel.
  static let isPossible: Bool = getuid() == 0 && (try? FullDisk()) != nil

  init() throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    guard mount("none", path, "tmpfs", 0, "size=1m") == 0 else {
      rmdir(path)
      throw CocoaError(.fileWriteNoPermission)
    }
  }

  deinit {
    umount2(path, Int32(MNT_DETACH))
    rmdir(path)
  }

  /// Leaves no room at all.
  func fill() throws {
    let file = open("\(path)/ballast", O_WRONLY | O_CREAT | O_APPEND, 0o600)
    defer { close(file) }
    for size in [4096, 1] {
      let block = [UInt8](repeating: 0, count: size)
      while write(file, block, size) > 0 {}
    }
  }

  func makeRoom() throws { try FileManager.default.removeItem(atPath: "\(path)/ballast") }
}
