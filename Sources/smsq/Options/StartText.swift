import ArgumentParser
import Glibc

/// The command line and the environment, as text where they are text.
///
/// Read as bytes, and not through `CommandLine.arguments` or Foundation: both put U+FFFD in the place of what is no UTF-8. Then
/// another text would be sent than the one that was written, and two ids that differ in such a byte be one.
enum StartText {
  /// What is wrong where there is no /proc, as in a chroot; nil where there is.
  ///
  /// Swift finds the arguments there. Without it there seem to be none, not even the program's name. And Dispatch looks there
  /// for its threads: it ends the process when it does not find them.
  static var absence: Failure? {
    CommandLine.argc > 0 ? nil : Failure("there is no /proc here: mount it (mount -t proc proc /proc)", .osError)
  }

  /// The arguments without the program's name.
  ///
  /// - Throws: ``Failure`` if one of them is no UTF-8.
  static func arguments() throws(Failure) -> [String] {
    try texts(of: (1..<max(1, Int(CommandLine.argc))).map { CommandLine.unsafeArgv[$0].map { bytes($0) } ?? [] })
  }

  /// - Parameter arguments: without the program's name.
  static func texts(of arguments: some Collection<[UInt8]>) throws(Failure) -> [String] {
    var texts: [String] = []
    for argument in arguments {
      do throws(NotUTF8) {
        texts.append(try text(argument))
      } catch {
        let option = option(of: argument, after: texts.last)
        throw Failure("argument \(texts.count + 1)\(option.map { " (\($0))" } ?? "") \(error)", .usage)
      }
    }
    return texts
  }

  /// The variables whose names are UTF-8 and begin with `prefix`; of one that is set twice the first, as getenv(3) has it.
  static func environment(prefix: String) -> (texts: [String: String], notUTF8: [String: NotUTF8]) {
    var texts: [String: String] = [:]
    var notUTF8: [String: NotUTF8] = [:]
    var next = environ
    while let variable = next.pointee {
      next += 1
      let parts = bytes(variable).split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let name = String(validating: parts[0], as: UTF8.self), name.hasPrefix(prefix),
        texts[name] == nil, notUTF8[name] == nil
      else { continue }
      do throws(NotUTF8) {
        texts[name] = try text(Array(parts[1]))
      } catch {
        notUTF8[name] = error
      }
    }
    return (texts, notUTF8)
  }

  /// What is not UTF-8. Never with the value: it may be a text, a number, or a URL with a password.
  struct NotUTF8: Error, Equatable, CustomStringConvertible {
    /// Where the first byte is that is wrong, from 1, and which.
    let position: Int
    let byte: UInt8

    var description: String {
      let hexadecimal = String(byte, radix: 16, uppercase: true)
      return
        "is not UTF-8: its byte \(position) is 0x\(hexadecimal). Write it in UTF-8; of a script or a file in Latin-1, for "
        + "instance, iconv -f LATIN1 -t UTF-8 makes that"
    }
  }

  private static func text(_ bytes: [UInt8]) throws(NotUTF8) -> String {
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    var valid = 0
    do {
      _ = try UTF8Span(validating: bytes.span)
    } catch {
      valid = error.byteOffsets.lowerBound
    }
    throw NotUTF8(position: valid + 1, byte: bytes[valid])
  }

  private static func bytes(_ text: UnsafePointer<CChar>) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: text, count: strlen(text)))
  }

  /// The option whose value the argument is, or looks like.
  private static func option(of argument: [UInt8], after last: String?) -> String? {
    let name = argument.prefix { $0 != UInt8(ascii: "=") }
    if name.count < argument.count, name.starts(with: "--".utf8), let name = String(validating: name, as: UTF8.self) {
      return name
    }
    guard let last, last.hasPrefix("-"), last.count > 1, last != "--", !last.contains("=") else { return nil }
    return "behind \(last)"
  }
}
