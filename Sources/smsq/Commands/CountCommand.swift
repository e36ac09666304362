import ArgumentParser
import Glibc
import SMS

struct CountCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "count",
    abstract: "Say how many SMS a text takes, and why.",
    discussion: """
        smsq count --text "Don’t pay twice"
        smsq count < text.txt

      A text of GSM 03.38's characters (encoding gsm7) takes one segment of 160 units, or several of 153: a unit is a \
      character, and \\ ^ { } [ ] ~ | and € are two. One other character makes it UCS-2 (ucs2): one segment of 70 units, or \
      several of 67. Each segment is billed as one SMS. The counts are those of Twilio's calculator; docs/gateways.md \
      says where other providers count otherwise.

      Says which characters are outside GSM 03.38, and what could be written for them. With --to +86... it also says what \
      mainland Chinese providers bill: 70 characters, or 67 each, in whatever script.

      Exits with 65 for a text that smsq push refuses: empty, with a NUL, or of more than --max-segments.
      """
  )

  @Option(help: "The text. (default: standard input, without the line feed at its end)")
  var text: String?

  @Option(
    help: ArgumentHelp("A telephone number, as +8613800138000, whose country may count otherwise.", valueName: "number")
  )
  var to: String?

  @OptionGroup var country: CountryCodeOption
  @OptionGroup var segments: MaxSegmentsOption

  @Flag(help: "Write the result as one JSON object.")
  var json = false

  /// Different characters that are listed. A text that has more of them is in another script, and meant to be.
  static let maxListed = 10

  func run() throws {
    // Not in validate(), which comes before the parser can complain of an option that it does not know.
    if text == nil && isatty(STDIN_FILENO) == 1 {
      throw ValidationError("Give the text as --text, or on standard input: smsq count < text.txt")
    }
    do {
      let number = try to.map { to throws(MessageError) in
        try PhoneNumber(to, defaultCountryCode: country.defaultCountryCode)
      }
      let report = try SegmentReport(of: try text ?? Self.standardInput())
      let isMainland = number?.e164.hasPrefix("+86") == true
      try Terminal.print(
        json
          ? try JSONLine.encode(CountResult(report, isMainland: isMainland))
          : Self.describe(report, isMainland: isMainland)
      )
      try report.segmentation.check(atMost: segments.maxSegments)
    } catch let error as MessageError {
      throw Failure("\(error)", .dataError)
    }
  }

  private static func standardInput() throws -> String {
    let limit = TextMessage.maximumPayloadSize
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(STDIN_FILENO, &chunk, chunk.count)
      if count == 0 { break }
      if count < 0 {
        if errno == EINTR { continue }
        throw Failure("standard input cannot be read: \(String(cString: strerror(errno)))", .dataError)
      }
      bytes += chunk[..<count]
      if bytes.count > limit {
        throw Failure("standard input is longer than \(limit) bytes, which is no text message", .dataError)
      }
    }
    // A mark of editors and no part of the text.
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
    if bytes.last == UInt8(ascii: "\n") {
      bytes.removeLast()
      if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw Failure("standard input is not valid UTF-8: convert it, as with iconv -t UTF-8", .dataError)
    }
    return text
  }

  // MARK: For people

  static func describe(_ report: SegmentReport, isMainland: Bool) -> String {
    let counted = report.segmentation
    let capacity =
      counted.segments == 1
      ? Segmentation.capacity(alone: counted.encoding) : Segmentation.capacity(ofPart: counted.encoding)
    let parts = report.parts.map(String.init).joined(separator: " + ")
    var lines = [
      "encoding  \(counted.encoding.rawValue)",
      "units     \(counted.units)",
      "segments  \(counted.segments)\((2...10).contains(counted.segments) ? ": \(parts)" : "")",
      "left      \(report.unitsLeft) of \(capacity)\(counted.segments == 1 ? "" : " in the last")",
    ]
    if isMainland {
      let count = report.mainlandSegments
      lines.append(
        "+86       \(count) segment\(count == 1 ? "" : "s") for \(report.utf16Units) characters; a signature such as 【ACME】 "
          + "counts as well"
      )
    }
    if report.foreign.isEmpty { return lines.joined(separator: "\n") }
    lines += ["", "outside GSM 03.38:"]
    lines += report.foreign.prefix(maxListed).map { "  " + describe($0) }
    let rest = report.foreign.count - maxListed
    if rest > 0 { lines.append("  and \(rest) more") }
    if let substituted = report.substituted {
      let counted = Segmentation(of: substituted)
      lines += [
        "with these: \(counted.encoding.rawValue), \(counted.units) units, \(counted.segments) segment"
          + (counted.segments == 1 ? "" : "s")
      ]
    }
    return lines.joined(separator: "\n")
  }

  private static func describe(_ character: SegmentReport.ForeignCharacter) -> String {
    var text = [character.glyph, character.codePoint, character.name].filter { !$0.isEmpty }.joined(separator: " ")
    text += ", at \(character.position)"
    if character.count > 1 { text += ", \(character.count) times" }
    switch character.substitute {
    case nil: return text
    case "": return text + ": leave it out"
    case " ": return text + ": write a space"
    case "\n": return text + ": write a line feed"
    case let substitute?:
      return text + ": write \(substitute)\(character.isCombined ? " as one character" : "")"
    }
  }
}

extension SegmentReport.ForeignCharacter {
  var codePoint: String {
    let digits = String(scalar.value, radix: 16, uppercase: true)
    return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  /// The character where it can be seen by itself, or else nothing.
  fileprivate var glyph: String {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .unassigned, .privateUse,
      .nonspacingMark,
      .spacingMark, .enclosingMark:
      ""
    default: String(Character(scalar))
    }
  }
}

/// For scripts.
private struct CountResult: Encodable {
  struct Character: Encodable {
    let character: String
    let codePoint: String
    let name: String
    let position: Int
    let count: Int
    let substitute: String?
  }

  struct Substituted: Encodable {
    let encoding: String
    let units: Int
    let segments: Int
  }

  struct Mainland: Encodable {
    let characters: Int
    let segments: Int
  }

  let encoding: String
  let units: Int
  let segments: Int
  let segmentUnits: [Int]
  let unitsLeft: Int
  /// The different characters outside GSM 03.38, of which the first are listed.
  let outsideGsm: Int
  let outsideGsmCharacters: [Character]
  let substituted: Substituted?
  let mainlandChina: Mainland?

  init(_ report: SegmentReport, isMainland: Bool) {
    encoding = report.segmentation.encoding.rawValue
    units = report.segmentation.units
    segments = report.segmentation.segments
    segmentUnits = report.parts
    unitsLeft = report.unitsLeft
    outsideGsm = report.foreign.count
    outsideGsmCharacters = report.foreign.prefix(CountCommand.maxListed).map {
      Character(
        character: String($0.scalar),
        codePoint: $0.codePoint,
        name: $0.name,
        position: $0.position,
        count: $0.count,
        substitute: $0.substitute
      )
    }
    substituted = report.substituted.map {
      let counted = Segmentation(of: $0)
      return Substituted(encoding: counted.encoding.rawValue, units: counted.units, segments: counted.segments)
    }
    mainlandChina = isMainland ? Mainland(characters: report.utf16Units, segments: report.mainlandSegments) : nil
  }
}
