import ArgumentParser
import Testing

@testable import smsq

@Suite struct GatewayChoiceTests {
  @Test(
    "A command is split at its spaces, and what a shell would act on is an argument like any other",
    arguments: [
      ("simulator", GatewayChoice.simulator), ("twilio", .twilio),
      ("https://user:pass@a.example/x?y=1", .webhook("https://user:pass@a.example/x?y=1")),
      ("HTTP://127.0.0.1:8080", .webhook("HTTP://127.0.0.1:8080")),
      ("command:/usr/local/bin/my-gateway", .command(["/usr/local/bin/my-gateway"])),
      ("command:python3  gateway.py --account=42 ", .command(["python3", "gateway.py", "--account=42"])),
      (
        "command:/bin/gw $HOME ; rm * | x > y `z` &",
        .command(["/bin/gw", "$HOME", ";", "rm", "*", "|", "x", ">", "y", "`z`", "&"])
      ),
    ]
  )
  func accepted(argument: String, choice: GatewayChoice) throws {
    #expect(try GatewayChoice(explaining: argument) == choice)
    #expect(try GatewayChoice(explaining: choice.argument) == choice)
  }

  @Test(
    "What is no gateway is refused, and quotes are, as no shell reads them",
    arguments: [
      ("", "is no gateway"), ("smtp", "is no gateway"), ("ftp://a", "is no gateway"), ("Twilio", "is no gateway"),
      ("http:/a", "is no gateway"), ("Simulator", "is no gateway"), ("command", "is no gateway"),
      ("command:", "program is missing"), ("command:  ", "program is missing"),
      ("command:/bin/gw 'a b'", "holds '"), (#"command:/bin/gw "a b""#, #"holds ""#),
      (#"command:/bin/g\ w"#, #"holds \"#),
      ("command:/bin/gw\0x", "control character"), ("command:/bin/gw\nx", "control character"),
    ]
  )
  func refused(argument: String, reason: String) {
    do {
      _ = try GatewayChoice(explaining: argument)
      Issue.record("accepted")
    } catch {
      #expect("\(error)".contains(reason), "\(error)")
    }
  }

  @Test("The time for an answer has bounds")
  func timeout() throws {
    #expect(try GatewayOptions.parse([]).gatewayTimeout == .seconds(30))
    #expect(try GatewayOptions.parse(["--gateway-timeout", "100ms"]).gatewayTimeout == .milliseconds(100))
    for timeout in ["0s", "99ms", "61m"] {
      #expect(throws: (any Error).self) { try GatewayOptions.parse(["--gateway-timeout", timeout]) }
    }
  }

  @Test(
    "An option that is for another gateway than the one chosen is refused, and so is a URL that cannot be used",
    arguments: [
      (["--gateway-url", "https://a"], "--gateway-url is for --gateway twilio"),
      (["--gateway", "https://a", "--gateway-from", "x"], "--gateway-from is for --gateway twilio"),
      (["--gateway", "twilio", "--gateway-secret", "x"], "--gateway-secret is for --gateway https"),
      (["--gateway-ca", "x"], "--gateway-ca is for --gateway https"),
      (["--gateway", "command:x", "--gateway-secret-file", "x"], "--gateway-secret-file is for --gateway https"),
      (["--gateway", "http://a", "--gateway-ca", "x"], "write https://"),
      (["--gateway", "https://a", "--gateway-ca", ""], "--gateway-ca is empty"),
      (["--gateway", "https://a", "--gateway-secret", "x", "--gateway-secret-file", "y"], "give one"),
      (["--gateway", "https://u:hunter2@/x"], "it names no host"), (["--gateway", "https://a/#hunter2"], "fragment"),
      (["--gateway", "twilio", "--gateway-url", "https://a b/hunter2"], "a space"),
      (["--gateway", "twilio", "--gateway-url", "https://a/?hunter2"], "query"),
      (["--gateway", "twilio", "--gateway-from", "a name too long"], "sender"),
    ]
  )
  func http(arguments: [String], reason: String) {
    do {
      _ = try GatewayOptions.parse(arguments)
      Issue.record("accepted")
    } catch {
      let message = GatewayOptions.message(for: error)
      #expect(message.contains(reason), "\(message)")
      #expect(!message.contains("hunter2"), "\(message)")
    }
  }
}
