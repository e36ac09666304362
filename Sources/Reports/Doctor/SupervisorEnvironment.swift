/// An `environment` as supervisord 4 reads it, once its `%(...)` are expanded: `KEY="value",KEY2=value2`.
///
/// It splits the text as Python's shlex does, where a word is made of letters, digits and `_/.+-():`, takes three words for
/// a pair, and passes over the fourth, which should be the comma. So what needs quotes and has none is either an error or
/// cut short without a word.
struct SupervisorEnvironment: Equatable {
  enum Fault: Equatable {
    case unclosedQuote
    /// A pair is not `KEY=value`. With its key, or nil where it has none.
    case noPair(String?)
    /// What follows the value is no comma: supervisord drops it.
    case cut(String?)
  }

  private(set) var pairs: [String: String] = [:]
  private(set) var fault: Fault?

  init(_ text: String) {
    guard let (words, comment) = Self.words(text) else {
      fault = .unclosedQuote
      return
    }
    if words.isEmpty && comment != nil { fault = .cut(nil) }
    for start in stride(from: 0, to: words.count, by: 4) {
      let pair = words[start...].prefix(4)
      let key = pair.count >= 2 && pair[start + 1] == "=" ? Self.name(words[start]) : nil
      guard pair.count >= 3, pair[start + 1] == "=" else {
        // Behind a cut value all is out of step, so that is the one to name.
        if case .cut(let earlier)? = fault { fault = .noPair(earlier) } else { fault = .noPair(key) }
        return
      }
      pairs[words[start]] = Self.unquoted(words[start + 2])
      let isCut = pair.count == 4 && pair[start + 3] != "," || comment.map { (start...start + 3).contains($0) } == true
      if isCut && fault == nil { fault = .cut(key) }
    }
  }

  /// The word, where it looks like the name of a variable and not like a piece of a password that has no quotes.
  private static func name(_ word: String) -> String? { word.wholeMatch(of: /[A-Z_][A-Z0-9_]*/) == nil ? nil : word }

  private static func unquoted(_ word: String) -> String {
    var rest = word[...]
    while let first = rest.first, first == "\"" || first == "'" { rest.removeFirst() }
    while let last = rest.last, last == "\"" || last == "'" { rest.removeLast() }
    return String(rest)
  }

  /// - Returns: the words, and the first one with or before which a `#` hides something; nil for a quote without an end.
  private static func words(_ text: String) -> ([String], comment: Int?)? {
    var words: [String] = []
    var word = ""
    var comment: Int?
    var rest = text.unicodeScalars[...]

    func end() {
      if !word.isEmpty { words.append(word) }
      word = ""
    }

    while let scalar = rest.popFirst() {
      switch scalar {
      case " ", "\t", "\r", "\n":
        end()
      case "#":
        comment = comment ?? (word.isEmpty ? max(0, words.count - 1) : words.count)
        while let skipped = rest.popFirst(), skipped != "\n" {}
      case "\"", "'":
        word.unicodeScalars.append(scalar)
        // Inside of a word it is a character like another.
        if word.unicodeScalars.count > 1 { continue }
        guard let close = rest.firstIndex(of: scalar) else { return nil }
        word += String(rest[...close])
        rest = rest[rest.index(after: close)...]
        end()
      case _ where isOfWord(scalar):
        word.unicodeScalars.append(scalar)
      default:
        end()
        words.append(String(scalar))
      }
    }
    end()
    return (words, comment)
  }

  private static func isOfWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "_", "/", ".", "+", "-", "(", ")", ":": true
    default: false
    }
  }
}
