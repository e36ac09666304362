/// What supervisord makes of `%(name)s` and `%%` in an option's value: Python's `%` operator, with names.
enum SupervisorFormat {
  enum Value: Equatable {
    case text(String)
    case number(Int)
  }

  /// Why supervisord does not take a value as it stands. None holds a part of the value, which may be a password.
  enum Fault: Error, Hashable {
    /// A % that begins neither `%%` nor `%(name)s`. Python fails, or puts the list of all names and values in its place.
    case bare
    /// `%(name` with no end, or with no letter behind it that says how it is to be written.
    case incomplete
    case unknown(String)
    /// `%(program_name)d`: no number.
    case noNumber(String)
  }

  /// Puts the values in. What is at fault is left as it stands.
  static func expand(_ text: String, _ values: [String: Value]) -> (text: String, faults: [Fault]) {
    var expanded = ""
    var faults: [Fault] = []
    var rest = text[...]
    while let mark = rest.firstIndex(of: "%") {
      expanded += rest[..<mark]
      rest = rest[mark...].dropFirst()
      if rest.first == "%" {
        expanded += "%"
        rest = rest.dropFirst()
        continue
      }
      do {
        let (written, end) = try field(rest, values)
        expanded += written
        rest = rest[end...]
      } catch {
        faults.append(error)
        expanded += "%"
      }
    }
    return (expanded + rest, faults)
  }

  /// What stands for the field that begins with the text, behind its %, and where the field ends.
  private static func field(_ text: Substring, _ values: [String: Value]) throws(Fault) -> (String, Substring.Index) {
    guard text.first == "(" else { throw .bare }
    guard let end = text.firstIndex(of: ")") else { throw .incomplete }
    let name = String(text[..<end].dropFirst())
    let style = text[text.index(after: end)...].prefixMatch(
      of: /([-+ #0]*)(\d*)(?:\.(\d*))?[hlL]?([diouxXeEfFgGcrsa%])/
    )
    guard let style else { throw .incomplete }
    let (_, flags, width, precision, letter) = style.output
    guard let value = values[name] else { throw .unknown(name) }

    var written: String
    switch (value, letter) {
    case (_, "%"): return ("%", style.range.upperBound)
    case (.text(let text), "s"), (.text(let text), "r"), (.text(let text), "a"):
      written = letter == "s" ? text : "'\(text)'"
    case (.text, _): throw .noNumber(name)
    case (.number(let number), "x"): written = String(number, radix: 16)
    case (.number(let number), "X"): written = String(number, radix: 16, uppercase: true)
    case (.number(let number), "o"): written = String(number, radix: 8)
    case (.number(let number), _): written = "\(number)"
    }
    if case .text = value, let precision { written = String(written.prefix(Int(precision) ?? 0)) }
    let isNumber = !"sra".contains(letter)
    let padding = String(
      repeating: isNumber && flags.contains("0") ? "0" : " ",
      count: max(0, (Int(width) ?? 0) - written.count)
    )
    return (flags.contains("-") ? written + padding : padding + written, style.range.upperBound)
  }
}
