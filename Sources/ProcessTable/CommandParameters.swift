import Foundation
import Subprocess

/// The parameters of a `command` row: `{"argv":["send_msg","--to","+86..."],"stdin":{...}}`.
package struct CommandParameters: Sendable, Equatable {
  package let argv: [String]
  /// What the program reads: a string as it is, any other JSON value as JSON with a line feed behind it, nothing where there
  /// is no `stdin`.
  package let input: [UInt8]

  package struct Invalid: Error, CustomStringConvertible {
    package let description: String
  }

  package init(_ parameters: String) throws(Invalid) {
    guard let object = try? JSONSerialization.jsonObject(with: Data(parameters.utf8)) as? [String: Any] else {
      throw Invalid(description: "the parameters are no JSON object: write {\"argv\":[\"program\",\"argument\"]}")
    }
    guard let argv = object["argv"] as? [String], let program = argv.first, !program.isEmpty else {
      throw Invalid(
        description: "'argv' must be a list of strings, the program's name or path first: "
          + "write {\"argv\":[\"program\",\"argument\"]}"
      )
    }
    if let index = argv.firstIndex(where: { $0.utf8.contains(0) }) {
      throw Invalid(
        description: "argument \(index) holds a NUL character (U+0000), at which the system would cut it short: "
          + "leave it out, or hand it over as 'stdin'"
      )
    }
    self.argv = argv
    switch object["stdin"] {
    case nil, is NSNull: input = []
    case let text as String: input = Array(text.utf8)
    case let value?:
      let options: JSONSerialization.WritingOptions = [.fragmentsAllowed, .sortedKeys, .withoutEscapingSlashes]
      guard let json = try? JSONSerialization.data(withJSONObject: value, options: options) else {
        throw Invalid(description: "'stdin' cannot be written as JSON")
      }
      input = Array(json) + [UInt8(ascii: "\n")]
    }
  }

  /// The program for error messages, without its arguments: these may hold numbers and texts.
  var shownName: String { "'\(argv[0].prefix(128))'" }
}

/// Why a program could not be started, or its end not be seen.
struct CommandFailure: Error, Equatable {
  let reason: String
  /// Whether it may work later without anybody changing the row.
  let isTemporary: Bool

  static func spawn(errno: Int32, _ reason: String) -> Self {
    // What the system runs out of now and then; anything else is about the program or its arguments.
    Self(reason: reason, isTemporary: [EAGAIN, ENOMEM, EMFILE, ENFILE, ETXTBSY, EINTR].contains(errno))
  }

  init(reason: String, isTemporary: Bool) {
    self.reason = reason
    self.isTemporary = isTemporary
  }

  init(_ error: any Error) {
    guard let error = error as? SubprocessError else {
      self.init(reason: "\(error)", isTemporary: true)
      return
    }
    let number = error.underlyingError?.rawValue ?? 0
    switch error.code {
    case .executableNotFound:
      self.init(reason: "there is no such program, or it may not be run; write its whole path", isTemporary: false)
    case .spawnFailed where number == E2BIG:
      self = .spawn(
        errno: number,
        "the arguments are longer than the system takes (E2BIG; 128 KiB each on Linux): hand long texts over as 'stdin'"
      )
    case .spawnFailed:
      self = .spawn(errno: number, number == 0 ? "\(error)" : String(cString: strerror(number)))
    default:
      self.init(reason: "\(error)", isTemporary: true)
    }
  }
}
