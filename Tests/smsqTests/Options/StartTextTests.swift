import Testing

@testable import smsq

@Suite("Arguments as bytes")
struct StartTextTests {
  private func failure(_ arguments: [[UInt8]]) -> Failure? {
    do {
      _ = try StartText.texts(of: arguments)
      return nil
    } catch {
      return error
    }
  }

  @Test("What is UTF-8 stays as it is, whatever characters it has")
  func texts() throws {
    let texts = ["push", "", "--text", "验证码", "e\u{301}", "\u{FFFD}", "\u{FEFF}a", "\u{10FFFF}", "=", "--"]
    #expect(
      try StartText.texts(of: texts.map { Array($0.utf8) }).map { Array($0.utf8) } == texts.map { Array($0.utf8) }
    )
  }

  @Test(
    "The argument is named by its place and its option, the byte by its place",
    arguments: [
      (["push", "--text", "D?"], "argument 3 (behind --text) is not UTF-8: its byte 2 is 0xFC"),
      (["push", "--text=D?"], "argument 2 (--text) is not UTF-8: its byte 9 is 0xFC"),
      (["push", "-t", "?"], "argument 3 (behind -t) is not UTF-8: its byte 1 is 0xFC"),
      (["dead", "show", "?"], "argument 3 is not UTF-8"), (["add", "--", "?"], "argument 3 is not UTF-8"),
      (["push", "--json=", "?"], "argument 3 is not UTF-8"), (["push", "--te?t=x"], "argument 2 is not UTF-8"),
      (["peek", "-", "?"], "argument 3 is not UTF-8"),
    ]
  )
  func names(arguments: [String], words: String) {
    let bytes = arguments.map { $0.utf8.map { $0 == UInt8(ascii: "?") ? 0xFC : $0 } }
    let failure = failure(bytes)
    #expect(
      failure?.description.hasPrefix(words + (words.hasSuffix("UTF-8") ? ":" : ". ")) == true,
      "\(failure as Any)"
    )
    #expect(failure?.code == .usage)
  }

  @Test("A hundred thousand random arguments: what is kept is byte by byte the same, what is not UTF-8 is refused")
  func random() {
    var wrong: [[UInt8]] = []
    for _ in 0..<100_000 {
      // Mostly beginnings and continuations of characters, which have more ways to be wrong than letters.
      let bytes = (0..<Int.random(in: 1...6)).map { _ in UInt8.random(in: Bool.random() ? 0x80...0xFF : 1...0xFF) }
      let repaired = Array(String(decoding: bytes, as: UTF8.self).utf8)
      let kept = (try? StartText.texts(of: CollectionOfOne(bytes))).map { Array($0[0].utf8) }
      if kept != (repaired == bytes ? bytes : nil) { wrong.append(bytes) }
    }
    #expect(wrong == [])
  }

  @Test("A variable that is no UTF-8 is refused where it would be an option, and nowhere else")
  func variables() throws {
    func arguments(_ argv: String...) throws -> [String] {
      try EnvironmentArguments(
        argv: argv,
        environment: [:],
        notUTF8: ["SMSQ_TEXT": .init(position: 2, byte: 0xFC)],
        tree: .smsq
      ).arguments
    }
    #expect(throws: Failure.self) { try arguments("push", "--to", "1") }
    #expect(try arguments("stats") == ["stats"])
    #expect(try arguments("push", "--text", "a") == ["push", "--text", "a"])
    #expect(try arguments("push", "--help") == ["push", "--help"])
  }
}
