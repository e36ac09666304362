import CHiredis
import Glibc
import Synchronization

/// What all TLS connections to one endpoint have in common: the certificates and the key, read from their files.
///
/// It is kept, and made anew only when a file has changed: who renews a certificate need not restart anything.
///
/// `@unchecked Sendable` because OpenSSL's SSL_CTX may be used by several threads at once.
final class TLSContext: @unchecked Sendable {
  let pointer: OpaquePointer
  /// Whether it has all that may be known of authorities. The system has a folder, in which one certificate is found by its
  /// name, and a file of all of them, which takes some 100 ms to read: only if one is not in the folder.
  let isWhole: Bool
  /// The files as they were before they were read.
  private let files: [FileState]

  private static let all = Mutex<[RedisTLS: TLSContext]>([:])

  /// The context for `tls`, with its files as they are now.
  ///
  /// - Parameter whole: see ``isWhole``.
  /// - Throws: ``RedisError`` for files that cannot be read or used, and where OpenSSL is not installed.
  static func current(for tls: RedisTLS, whole: Bool = false) throws(RedisError) -> TLSContext {
    if let absence = chiredis_tls_load() {
      throw RedisError(.noLibrary, "OpenSSL cannot be loaded (\(String(cString: absence)))")
    }
    let files = try tls.fileStates()
    return try all.withLock { all throws(RedisError) in
      if let context = all[tls], context.files == files, context.isWhole || !whole { return context }
      let context = try TLSContext(tls, files, whole: whole || tls.caFile != nil || tls.isInsecure)
      all[tls] = context
      return context
    }
  }

  private init(_ tls: RedisTLS, _ files: [FileState], whole: Bool) throws(RedisError) {
    var failure = chiredis_tls_failure()
    guard
      let pointer = chiredis_tls_context_new(
        tls.caFile,
        whole,
        tls.certificateFile,
        tls.keyFile,
        tls.isInsecure,
        &failure
      )
    else { throw tls.error(of: failure) }
    self.pointer = pointer
    self.files = files
    isWhole = whole
  }

  deinit { chiredis_tls_context_free(pointer) }
}

/// Tells whether a file is the one that it was.
private struct FileState: Equatable {
  let device: dev_t
  let inode: ino_t
  let size: off_t
  let seconds: Int
  let nanoseconds: Int

  /// Nil where there is no such file.
  init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    self.init(status)
  }

  init(_ status: stat) {
    device = status.st_dev
    inode = status.st_ino
    size = status.st_size
    seconds = status.st_mtim.tv_sec
    nanoseconds = status.st_mtim.tv_nsec
  }
}

extension RedisTLS {
  /// - Throws: ``RedisError`` for a file that cannot be read.
  fileprivate func fileStates() throws(RedisError) -> [FileState] {
    var states: [FileState] = []
    for (role, path) in [("CA file", caFile), ("certificate file", certificateFile), ("key file", keyFile)] {
      guard let path else { continue }
      var status = stat()
      guard stat(path, &status) == 0, access(path, R_OK) == 0 else {
        let code = errno
        let fault: TLSFault = code == EACCES || code == EPERM ? .unreadableFile : .missingFile
        throw RedisError(fault, "cannot read the \(role) '\(path)': \(String(cString: strerror(code)))")
      }
      if status.st_mode & S_IFMT == S_IFDIR {
        throw RedisError(.missingFile, "the \(role) '\(path)' is a folder: name a file in PEM")
      }
      states.append(FileState(status))
    }
    if caFile == nil {
      let system = [chiredis_tls_system_file(), chiredis_tls_system_folder()]
      states += system.compactMap { $0 }.compactMap { FileState(String(cString: $0)) }
    }
    return states
  }
}
