import ArgumentParser

import Glibc

/// What is wrong with an input file or with one of its lines, and what to do about it.
struct InputError: Error, Equatable, CustomStringConvertible {
  /// Open on purpose: a later version may add codes, so a `switch` over them needs a `default`.
  struct Code: RawRepresentable, Hashable, Sendable {
    var rawValue: String

    /// The file does not exist.
    static let notFound = Code(rawValue: "not-found")
    /// The file exists but may not be read.
    static let notPermitted = Code(rawValue: "not-permitted")
    /// open(2) or read(2) failed for another reason; `errorNumber` says which.
    static let unreadable = Code(rawValue: "unreadable")
    /// Compressed, UTF-16, or otherwise not lines of UTF-8.
    static let notText = Code(rawValue: "not-text")
    /// A line or a CSV record is longer than its limit.
    static let tooLong = Code(rawValue: "too-long")
    /// A line breaks the rules of its format.
    static let malformed = Code(rawValue: "malformed")
    /// The header of a CSV file does not name the columns that a message needs.
    static let header = Code(rawValue: "header")
  }

  var code: Code
  /// What was wrong and what to do, without the line number: whoever prints it knows where it happened.
  var message: String
  /// The C errno, where a system call failed.
  var errorNumber: Int32?

  init(_ code: Code, _ message: String, errorNumber: Int32? = nil) {
    self.code = code
    self.message = message
    self.errorNumber = errorNumber
  }

  var description: String { message }

  /// 77 for a permission, 65 for everything else.
  var exitCode: ExitCode { code == .notPermitted ? .noPermission : .dataError }
}

extension InputError {
  /// The error for a failed open(2) or read(2) of `name`.
  init(errorNumber: Int32, name: String) {
    switch errorNumber {
    case ENOENT, ENOTDIR:
      self.init(
        .notFound,
        "'\(name)': no such file; check the path, or write - to read from standard input",
        errorNumber: errorNumber
      )
    case EACCES, EPERM:
      self.init(
        .notPermitted,
        "'\(name)': permission denied; let this user read it, or pipe it in and write - for the file",
        errorNumber: errorNumber
      )
    case EISDIR:
      self.init(
        .unreadable,
        "'\(name)' is a directory; name one .jsonl or .csv file in it",
        errorNumber: errorNumber
      )
    default:
      self.init(
        .unreadable,
        "'\(name)' cannot be read: \(String(cString: strerror(errorNumber)))",
        errorNumber: errorNumber
      )
    }
  }
}
