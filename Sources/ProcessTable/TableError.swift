import Foundation
import GRDB

/// Why the database could not do what was asked: what was wrong, and what to do about it.
package struct TableError: Error, CustomStringConvertible {
  /// Open on purpose: a later version may add codes, so a `switch` over them needs a `default`.
  package struct Code: RawRepresentable, Hashable, Sendable {
    package var rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }

    /// There is no such file, and none was to be made.
    package static let notFound = Code(rawValue: "not-found")
    /// This user may not open the file or its directory.
    package static let notPermitted = Code(rawValue: "not-permitted")
    /// The file, its directory or its file system takes no writes.
    package static let readOnly = Code(rawValue: "read-only")
    /// The disk is full, or the file has reached a limit on its size.
    package static let full = Code(rawValue: "full")
    /// Others wrote for longer than the busy timeout.
    package static let busy = Code(rawValue: "busy")
    /// The file is no SQLite database, is damaged, or was made by a newer smsq.
    package static let unusable = Code(rawValue: "unusable")
    /// A row breaks a rule of the schema.
    package static let refused = Code(rawValue: "refused")
    /// Reading or writing the file failed in another way.
    package static let failed = Code(rawValue: "failed")
  }

  package let code: Code
  /// With SQLite's own words and its extended result code, where SQLite said it.
  package let description: String

  init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }
}

extension TableError {
  init(_ error: any Error, path: String) {
    if let error = error as? TableError {
      self = error
      return
    }
    guard let error = error as? DatabaseError else {
      self.init(.failed, "the database \(path): \(error)")
      return
    }
    let said = "\(error.message ?? "no message") (SQLite error \(error.extendedResultCode.rawValue))"
    let (code, text): (Code, String) =
      switch error.resultCode {
      case .SQLITE_READONLY:
        (.readOnly, "\(path) cannot be written: \(said); let this user write the file and its directory")
      case .SQLITE_PERM, .SQLITE_AUTH:
        (.notPermitted, "\(path) may not be used: \(said); let this user write the file and its directory")
      case .SQLITE_CANTOPEN:
        (.notPermitted, "\(path) cannot be opened: \(said); let this user write the file and its directory")
      case .SQLITE_FULL:
        (.full, "no room to write \(path): \(said); make room on the disk, nothing that was stored is lost")
      case .SQLITE_BUSY, .SQLITE_LOCKED:
        (.busy, "\(path) is busy: \(said); another process writes to it for too long, try again")
      case .SQLITE_NOTADB, .SQLITE_CORRUPT, .SQLITE_SCHEMA, .SQLITE_MISMATCH:
        (.unusable, "\(path) cannot be used: \(said); is it smsq's database?")
      case .SQLITE_CONSTRAINT:
        (.refused, "a row is refused: \(said)")
      case .SQLITE_IOERR:
        (.failed, "\(path) cannot be read or written: \(said); is the disk full or failing?")
      default:
        (.failed, "\(path): \(said)")
      }
    self.init(code, text)
  }
}
