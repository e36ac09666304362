import TestSupport
import Testing

@testable import SMS

@Suite struct TemplateTests {
  private func decode(_ payload: String) throws(MessageError) -> TextMessage {
    try TextMessage.decode(payload: Array(payload.utf8), assignedID: "assigned", defaultCountryCode: nil)
  }

  @Test(
    "A template stands in the text's place, whatever its parameters are",
    arguments: [
      (#""template":"SMS_1""#, "SMS_1"), (#""template":1110,"template_params":["1",2]"#, "1110"),
      (#""text":null,"template":"模板","template_params":{"code":"1","n":2}"#, "模板"),
      (#""text":"","template":"SMS_1","template_params":null"#, "SMS_1"),
      (#""template_params":{},"sign":"阿里云","template":"SMS\u005f1""#, "SMS_1"),
    ]
  )
  func reads(members: String, name: String) throws {
    let message = try decode(#"{"to":"+8613800138000",\#(members)}"#)
    #expect(message.content == .template(name))
    #expect(message.text == nil)
    #expect(message.segmentation == nil)
  }

  @Test("An empty template beside a text is none")
  func emptyTemplate() throws {
    #expect(try decode(#"{"to":"+8613800138000","text":"hi","template":""}"#).text == "hi")
    #expect(try decode(#"{"to":"+8613800138000","text":"hi","template":null}"#).text == "hi")
  }

  @Test(
    "What cannot be told apart, or is no template, is refused, with what to write",
    arguments: [
      (#""text":"hi","template":"SMS_1""#, "invalid_template", "both"),
      (#""template":"""#, "invalid_template", "empty"),
      (#""template":"a\nb""#, "invalid_template", "control character"),
      (#""template":{"name":"SMS_1"}"#, "wrong_type", "no string"),
      (#""template":1.5"#, "wrong_type", "digits"),
      (#""template":"a","template":"b""#, "duplicate_field", "twice"),
      (#""template":"a","template_params":{},"template_params":[]"#, "duplicate_field", "twice"),
      (#""template":"a","template_params":"{\"code\":\"1\"}""#, "invalid_template", "not as a string"),
      (#""template":"a","template_params":1"#, "invalid_template", "list"),
      (#""template_params":{"code":"1"}"#, "missing_field", "'text' or 'template'"),
      (#""sign":"阿里云""#, "missing_field", "'text' or 'template'"),
    ]
  )
  func refuses(members: String, expected: String, words: String) throws {
    let error = try #require(throws: MessageError.self) { try decode(#"{"to":"+8613800138000",\#(members)}"#) }
    #expect(error.code.rawValue == expected)
    #expect(error.description.contains(words), "\(error)")
  }

  @Test("A template's name has at most 128 characters")
  func length() throws {
    let most = String(repeating: "模", count: 128)
    #expect(try decode(#"{"to":"+8613800138000","template":"\#(most)"}"#).content == .template(most))
    #expect(
      code { () throws(MessageError) in try decode(#"{"to":"+8613800138000","template":"\#(most)x"}"#) }
        == "invalid_template"
    )
  }

  @Test("A message with a template goes into the queue as it was written, with an id and its defaults")
  func prepared() throws {
    let payload = #"{"to":"+8613800138000","template":1110,"template_params":[ "1" ],"id":"a"}"#
    let prepared = try PreparedMessage(payload: Array(payload.utf8), defaults: .init(expiresAt: 1_795_348_800_000))
    #expect(
      String(decoding: prepared.payload, as: UTF8.self)
        == #"{"expires_at":"2026-11-22T12:00:00Z","to":"+8613800138000","template":1110,"template_params":[ "1" ],"id":"a"}"#
    )
    #expect(prepared.segmentation == nil)
  }

  @Test(
    "Arguments with names make an object, those without a list",
    arguments: [
      (["code=123456"], #"{"code":"123456"}"#), (["a=", "b=x=y", "名=\"您\""], #"{"a":"","b":"x=y","名":"\"您\""}"#),
      (["123456", "5"], #"["123456","5"]"#), ([""], #"[""]"#),
    ]
  )
  func parameters(arguments: [String], json: String) throws {
    #expect(String(decoding: try TemplateParameters(arguments: arguments).json, as: UTF8.self) == json)
  }

  @Test("Arguments of both kinds, without a name, or with one twice are refused")
  func badArguments() {
    for arguments in [["code=1", "5"], ["5", "code=1"], ["=5"], ["a=1", "a=2"]] {
      #expect(throws: MessageError.self) { try TemplateParameters(arguments: arguments) }
    }
  }

  @Test("A cell of a file holds one object or list, and no member beside it")
  func cells() throws {
    for cell in [#"{"code":"1"}"#, " [1, {\"a\":[]}] ", "{}"] {
      #expect(try TemplateParameters(json: cell).json == Array(cell.trimmingSpaces.utf8))
    }
    for cell in ["", "code=1", "1", "\"a\"", "{", "[1]]", #"{"a":1},"to":"+8613800138001""#, "{}\u{0}", "nul"] {
      #expect(code { () throws(MessageError) in try TemplateParameters(json: cell) } == "invalid_template", "\(cell)")
    }
  }
}

extension String {
  fileprivate var trimmingSpaces: String { split(separator: " ").joined(separator: " ") }
}
