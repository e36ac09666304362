import Glibc

/// Text for people and scripts: results on standard output, everything else on standard error.
enum Terminal {
  /// A result, with a line feed.
  static func print(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }

  /// A remark or an error, behind the program's name, as is the custom.
  static func note(_ text: String) { printError("smsq: " + text) }

  /// A question: the answer goes on the same line.
  static func prompt(_ text: String) { write(text, to: STDERR_FILENO) }

  static func printError(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

  /// Straight to the descriptor: stdio would keep a pipe's lines back until its buffer is full.
  private static func write(_ text: String, to descriptor: Int32) {
    var text = text
    text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)[...]
      while !rest.isEmpty {
        let written = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if written < 0 {
          if errno == EINTR { continue }
          // The reader has left (smsq peek | head): there is nobody to tell.
          return
        }
        rest = rest.dropFirst(written)
      }
    }
  }
}
