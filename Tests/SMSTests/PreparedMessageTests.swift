import TestSupport
import Testing

@testable import SMS

@Suite struct PreparedMessageTests {
  private func prepared(_ payload: String, _ defaults: PreparedMessage.Defaults? = nil) throws -> String {
    let prepared = try PreparedMessage(payload: [UInt8](payload.utf8), defaults: defaults ?? .init())
    return String(decoding: prepared.payload, as: UTF8.self)
  }

  @Test("A complete payload stays as it is, byte for byte")
  func complete() throws {
    let payload = #" { "id" : "a", "x":[1e400, {"y" : "\u00e9"}], "to":"+8613800138000" ,"text":"h\u0069"} "#
    #expect(try prepared(payload) == payload)
  }

  @Test("What is missing comes first, and what is null is replaced where it stands")
  func additions() throws {
    let defaults = try PreparedMessage.Defaults(from: "ACME", expiresAt: 1_795_348_800_000, queuedAt: 1)
    #expect(
      try prepared(#"{"id":"a","to":"+8613800138000","text":"hi","n":1.50,"from":null}"#, defaults)
        == #"{"expires_at":"2026-11-22T12:00:00Z","queued_at":"1970-01-01T00:00:00.001Z","id":"a","#
        + #""to":"+8613800138000","text":"hi","n":1.50,"from":"ACME"}"#
    )
  }

  @Test("A producer's own sender and expiry win over the defaults")
  func defaults() throws {
    let payload = #"{"id":"a","to":"+8613800138000","text":"hi","from":"ME","expires_at":"2026-11-22T12:00:00Z"}"#
    #expect(try prepared(payload, .init(from: "ACME", expiresAt: 5)) == payload)
  }

  @Test("A national number is written with its country code, for workers that have no default")
  func number() throws {
    #expect(
      try prepared(#"{"text":"hi","to":"135 3848 9861","id":"a"}"#, .init(countryCode: "86"))
        == #"{"text":"hi","to":"+8613538489861","id":"a"}"#
    )
  }

  @Test("An integer is a value like any other: a number gets its country code, an id and a time stay as they are")
  func integers() throws {
    let defaults = try PreparedMessage.Defaults(countryCode: "86", expiresAt: 5)
    let payload = #"{"to":13538489861,"text":"hi","id":7,"expires_at":1795348800}"#
    let message = try PreparedMessage(payload: Array(payload.utf8), defaults: defaults)
    #expect(
      String(decoding: message.payload, as: UTF8.self)
        == #"{"to":"+8613538489861","text":"hi","id":7,"expires_at":1795348800}"#
    )
    #expect(message.callerID == "7")
  }

  @Test("A message without an id gets a new one, which is not the caller's")
  func newID() throws {
    let payload = [UInt8](#"{"to":"+8613800138000","text":"hi"}"#.utf8)
    let first = try PreparedMessage(payload: payload, defaults: .init())
    let second = try PreparedMessage(payload: payload, defaults: .init())
    #expect(first.callerID == nil)
    #expect(first.id != second.id)
    let read = try TextMessage.decode(payload: first.payload, assignedID: "-", defaultCountryCode: nil)
    #expect(read.id == first.id)
  }

  @Test("A null stands for a missing field: each is replaced where it stands, in any order")
  func nulls() throws {
    let payload = #"{"from":null,"to":"138 0013 8000","queued_at":null,"text":"hi","id":null}"#
    let defaults = try PreparedMessage.Defaults(id: "row\"7", countryCode: "86", from: "ACME")
    #expect(
      try prepared(payload, defaults)
        == #"{"from":"ACME","to":"+8613800138000","queued_at":null,"text":"hi","id":"row\"7"}"#
    )
    let generated = try PreparedMessage(payload: Array(payload.utf8), defaults: .init(countryCode: "86"))
    #expect(
      String(decoding: generated.payload, as: UTF8.self)
        == #"{"from":null,"to":"+8613800138000","queued_at":null,"text":"hi","id":"\#(generated.id)"}"#
    )
  }

  @Test("An id to be given is checked, unless the message has its own")
  func givenID() throws {
    let defaults = try PreparedMessage.Defaults(id: "a\nb")
    let payload = #"{"to":"+8613800138000","text":"hi"}"#
    #expect(
      code { () throws(MessageError) in try PreparedMessage(payload: Array(payload.utf8), defaults: defaults) }
        == "invalid_id"
    )
    let own = #"{"to":"+8613800138000","text":"hi","id":"m-1"}"#
    #expect(try prepared(own, defaults) == own)
    #expect(
      code { () throws(MessageError) in try PreparedMessage.Defaults(from: "much too long a name") } == "invalid_sender"
    )
  }

  @Test(
    "What a worker would refuse is refused before it is queued",
    arguments: [
      (#"{"to":"12","text":"hi"}"#, "invalid_number"), (#"{"to":"+8613800138000","text":""}"#, "empty_text"),
      ("hello", "not_an_object"), (#"{"to":"+8613800138000"}"#, "missing_field"),
      (#"{"to":"+8613800138000","text":"hi","from":"A name that is too long"}"#, "invalid_sender"),
    ]
  )
  func refused(payload: String, expected: String) {
    let found = code { () throws(MessageError) in
      try PreparedMessage(payload: [UInt8](payload.utf8), defaults: .init(countryCode: "86"))
    }
    #expect(found == expected)
  }

  @Test("Every text and field reads back as it was written, whatever it holds")
  func roundTrip() throws {
    var random = SeededGenerator(seed: 3)
    for _ in 0..<20_000 {
      var text = "x"
      for _ in 0..<Int.random(in: 0...40, using: &random) {
        // From ASCII, from the rest of the BMP, from beyond; surrogates are no scalars.
        let limit = [0x80, 0x800, 0x10000, 0x110000].randomElement(using: &random)!
        if let scalar = Unicode.Scalar(UInt32.random(in: 1..<UInt32(limit), using: &random)) {
          text.unicodeScalars.append(scalar)
        }
      }
      let id = "\"\\/ \(random.next())"
      let payload = PreparedMessage.payload([("to", "+8613800138000"), ("text", text), (text, "\u{1}\""), ("id", id)])
      let prepared = try PreparedMessage(payload: payload, defaults: .init(from: "ACME"))
      let read = try TextMessage.decode(payload: prepared.payload, assignedID: "-", defaultCountryCode: nil)
      // Equal strings may differ in their scalars, so that the bytes count.
      guard read.id == id, let said = read.text, Array(said.utf8) == Array(text.utf8),
        Array(said.utf16) == Array(text.utf16),
        prepared.segmentation == read.segmentation
      else {
        Issue.record("\(text) reads back as \(read)")
        return
      }
    }
  }
}
