import ArgumentParser
import Testing

@testable import smsq

@Suite struct TextTemplateTests {
  @Test(arguments: [
    ("Dear {name}!", "Dear Ann!"), ("{ Name }{name}", "AnnAnn"), ("{{name}}", "{name}"), ("{{{name}}}", "{Ann}"),
    ("no columns", "no columns"), ("", ""), ("{tricky}", "{name}}{"),
  ])
  func `Columns are filled in once, and double braces are braces`(_ template: String, _ expected: String) throws {
    #expect(try TextTemplate(template).filled(with: ["name": "Ann", "tricky": "{name}}{"]) == expected)
  }

  @Test(arguments: ["{", "}", "{}", "{ }", "a {b", "a b}", "{a{b}", "{{name}"])
  func `A brace that is alone is refused`(_ template: String) {
    #expect(throws: ValidationError.self) { try TextTemplate(template) }
  }

  @Test func `Columns are named once each, in their order and in lower case`() throws {
    #expect(try TextTemplate("{B} {a} {b}").columns == ["b", "a"])
  }

  @Test func `A column that is not there is named`() throws {
    #expect(throws: InputError(.malformed, "there is no 'b' for {b}, only: a, c")) {
      try TextTemplate("{b}").filled(with: ["c": "", "a": ""])
    }
  }
}
