import ArgumentParser
import Testing

@testable import smsq

@Suite("Payload sizes")
struct PayloadSizeTests {
  @Test(
    "Sizes are read",
    arguments: [
      ("262144", 262_144), ("256KB", 262_144), ("256kb", 262_144), ("1MB", 1_048_576), ("1024", 1_024),
      ("2048B", 2_048),
      ("001MB", 1_048_576),
    ]
  )
  func valid(text: String, bytes: Int) throws {
    #expect(try PayloadSize(explaining: text).bytes == bytes)
  }

  @Test(
    "Anything else is refused with the reason",
    arguments: [
      ("", "no size"), ("KB", "no size"), ("1.5KB", "no size"), ("-1", "no size"), ("1 KB", "no size"),
      ("1GB", "no size"),
      ("٣KB", "no size"), ("0", "out of range"), ("1023", "out of range"), ("2MB", "out of range"),
      ("1048577", "out of range"), ("9223372036854775807MB", "out of range"), ("99999999999999999999", "no size"),
    ]
  )
  func invalid(text: String, reason: String) {
    let error = #expect(throws: ValidationError.self) { try PayloadSize(explaining: text) }
    #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
  }

  @Test("Sizes are written as they are read", arguments: ["256KB", "1MB", "1KB", "1025B", "262145B"])
  func written(text: String) throws {
    #expect(try PayloadSize(explaining: text).argument == text)
  }
}
