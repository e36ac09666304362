import TestSupport
import Testing

@testable import Wire

@Suite struct JSONReaderTests {
  private func read(_ text: String) throws(WireError) -> [String: String?] {
    let json = Array(text.utf8)
    var reader = try JSONReader(json)
    var members: [String: String?] = [:]
    while let name = try reader.nextName()?.text(in: json) {
      if name.hasPrefix("skip") {
        try reader.skipValue()
      } else {
        members.updateValue(try reader.stringOrNull()?.text(in: json), forKey: name)
      }
    }
    return members
  }

  @Test("Members are read one by one, and escapes in names and values are resolved")
  func members() throws {
    #expect(try read("{}") == [:])
    #expect(
      try read(#" {"a":"1" , "b":null,"\u0063":"\"\\\/\b\f\n\r\t\u00e9\uD83D\ude1c"} "#) == [
        "a": "1", "b": nil, "c": "\"\\/\u{8}\u{C}\n\r\té😜",
      ]
    )
    #expect(try read(#"{"skip":[{"a":[-0.5e+1,true,false,null,"x"]},{},[]],"a":""}"#) == ["a": ""])
  }

  @Test("A fault is told with its place, and without what stands there")
  func place() {
    func fault(_ text: String) -> String {
      do throws(WireError) {
        return "\(try read(text))"
      } catch {
        return error.description
      }
    }
    #expect(
      fault(#"{"a":"b"#) == "is not valid JSON at its end, byte 8: there should be a closing double quote"
    )
    #expect(fault(#"{"a" "b"}"#) == "is not valid JSON at byte 6: there should be a colon")
    #expect(fault(#"{"a":"b" "c"}"#) == "is not valid JSON at byte 10: there should be a comma or }")
  }

  @Test("128 levels may be open, and no more, however many there are")
  func depth() throws {
    func nested(_ levels: Int) -> String {
      #"{"skip":"# + String(repeating: "[", count: levels - 1) + String(repeating: "]", count: levels - 1) + "}"
    }
    #expect(try read(nested(128)) == [:])
    #expect(throws: WireError.self) { try read(nested(129)) }
    #expect(throws: WireError.self) { try read(nested(500_000)) }
  }

  @Test("Valid JSON is read, however it is written")
  func validJSON() throws {
    var random = SeededGenerator(seed: 5)
    for _ in 0..<20_000 {
      var expected: [String: String?] = [:]
      var members: [String] = []
      for number in 0..<Int.random(in: 0..<5, using: &random) {
        switch Int.random(in: 0..<3, using: &random) {
        case 0: members.append("\(string("skip", &random)):\(value(depth: 0, &random))")
        case 1:
          expected["\(number)"] = .some(nil)
          members.append("\(string("\(number)", &random)):null")
        default:
          let text = String(
            (0..<Int.random(in: 0..<8, using: &random)).map { _ in "a\"\\/\n\u{0}é中😜".randomElement(using: &random)! }
          )
          expected["\(number)"] = .some(text)
          members.append("\(string("\(number)", &random)):\(string(text, &random))")
        }
      }
      let text = spaced("{\(members.joined(separator: ","))}", &random)
      guard try read(text) == expected else {
        Issue.record("\(text) is read as \(try read(text))")
        return
      }
    }
  }

  /// A string as JSON, each character escaped or not as chance has it.
  private func string(_ text: String, _ random: inout SeededGenerator) -> String {
    var json = ""
    for scalar in text.unicodeScalars {
      if scalar.value >= 0x20, scalar != "\"", scalar != "\\", Bool.random(using: &random) {
        json.unicodeScalars.append(scalar)
      } else if scalar == "\"" || scalar == "\\" || scalar == "/", Bool.random(using: &random) {
        json += "\\\(scalar)"
      } else {
        for unit in String(scalar).utf16 {
          let hex = String(unit, radix: 16, uppercase: Bool.random(using: &random))
          json += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        }
      }
    }
    return "\"\(json)\""
  }

  private func value(depth: Int, _ random: inout SeededGenerator) -> String {
    let simple = ["0", "-0", "12", "1.50", "1e9", "-1.5E-30", "1e999", "true", "false", "null", "[]", "{}", "\"[{,\""]
    guard depth < 4, Bool.random(using: &random) else { return simple.randomElement(using: &random)! }
    let isObject = Bool.random(using: &random)
    let elements = (0..<Int.random(in: 0..<4, using: &random)).map { _ in
      (isObject ? "\(string("k", &random)):" : "") + value(depth: depth + 1, &random)
    }
    return (isObject ? "{" : "[") + elements.joined(separator: ",") + (isObject ? "}" : "]")
  }

  /// Space where JSON allows it: around what is in no string.
  private func spaced(_ json: String, _ random: inout SeededGenerator) -> String {
    var text = ""
    var isInString = false
    var isEscaped = false
    for scalar in json.unicodeScalars {
      let isStructure = !isInString && "{}[]:,".unicodeScalars.contains(scalar)
      func space() -> String { isStructure ? ["", "", " ", "\n", "\t\r "].randomElement(using: &random)! : "" }
      text += space()
      text.unicodeScalars.append(scalar)
      text += space()
      if scalar == "\"", !isEscaped { isInString.toggle() }
      isEscaped = scalar == "\\" && !isEscaped
    }
    return text
  }
}
