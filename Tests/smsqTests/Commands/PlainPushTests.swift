import ArgumentParser
import Testing

@testable import smsq

@Suite("A plain push, read without ArgumentParser")
struct PlainPushTests {
  @Test(
    "It is what ArgumentParser reads, option by option",
    arguments: [
      ["--to", "+8613800138000", "--text", "hi"],
      ["--text=a = b", "--to=+8613800138000"],
      ["--to", "13800138000", "--default-country-code", "86", "--text", "您的验证码是 123456", "--json"],
      [
        "--json", "--redis", "redis://:se=cret@there:7000/2", "--queue=otp", "--to", "+1", "--text=-5 %", "--from",
        "Shop",
      ],
      ["--redis=unix:///run/redis.sock?db=1", "--to", "nobody", "--text", " ", "--id", "o-1"],
      ["--to", "push", "--text", "help"], ["--redis", "rediss://r", "--to", "+1", "--text", "a"],
      ["--redis=rediss://r", "--redis-ca=ca.pem", "--to", "+1", "--text", "a", "--redis-server-name", "r.example"],
      ["--redis=rediss://r", "--redis-key", "k.pem", "--to", "+1", "--text", "a", "--redis-cert", "c.pem"],
    ]
  )
  func same(arguments: [String]) throws {
    let plain = try #require(PushCommand(plain: ["push"] + arguments))
    let parsed = try #require(try Smsq.parseAsRoot(["push"] + arguments) as? PushCommand)
    // What was neither parsed nor set is in the dump, too, as a definition.
    #expect(Self.dump(plain) == Self.dump(parsed))
  }

  @Test(
    "All else is left to ArgumentParser",
    arguments: [
      [], ["push"], ["stats", "--to", "+1", "--text", "a"], ["--to", "+1", "push", "--text", "a"],
      ["push", "--to", "+1"], ["push", "--text", "a"], ["push", "--to", "+1", "--text"],
      ["push", "--to", "+1", "--text", ""], ["push", "--to", "+1", "--text="], ["push", "--to=", "+1", "--text", "a"],
      ["push", "--to", "+1", "--text", "-5 %"], ["push", "--to", "+1", "--text", "-\u{301}"],
      ["push", "--to", "+1", "--text", "a", "--"], ["push", "--", "--to", "+1", "--text", "a"],
      ["push", "--to", "+1", "--text", "a", "b"], ["push", "b", "--to", "+1", "--text", "a"],
      ["push", "--to", "+1", "--text", "a", "--to", "+2"], ["push", "--to", "+1", "--text", "a", "--json", "--json"],
      ["push", "--to", "+1", "--text", "a", "--json=true"], ["push", "--to", "+1", "--tekst", "a"],
      ["push", "--to", "+1", "--text", "a", "--help"], ["push", "--to", "+1", "--text", "a", "--version"],
      ["push", "--to", "+1", "--text", "a", "--in", "5m"], ["push", "--to", "+1", "--text", "a", "--max-queue=5"],
      ["push", "--to", "+1", "--text", "a", "--queue", "a b"],
      ["push", "--to", "+1", "--text", "a", "--redis", "redis://r", "--redis-ca", "ca.pem"],
      ["push", "--to", "+1", "--text", "a", "--redis", "rediss://r", "--redis-cert", "c.pem"],
      ["push", "--to", "+1", "--text", "a", "--redis", "rediss://r", "--redis-insecure"],
      ["push", "--to", "+1", "--text", "a", "--redis", "there"],
      ["push", "--to", "+1", "--text", "a", "--default-country-code", "0"], ["push", "--file", "a.csv"],
    ]
  )
  func rest(arguments: [String]) {
    #expect(PushCommand(plain: arguments) == nil)
  }

  private static func dump(_ command: PushCommand) -> String {
    var text = ""
    Swift.dump(command, to: &text)
    return text
  }
}
