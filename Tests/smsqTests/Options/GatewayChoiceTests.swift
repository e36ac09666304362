import ArgumentParser
import Testing

@testable import smsq

@Suite struct GatewayChoiceTests {
  @Test(
    "A command is split at its spaces, and what a shell would act on is an argument like any other",
    arguments: [
      ("simulator", GatewayChoice.simulator),
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
      ("", "is no gateway"), ("smtp", "is no gateway"), ("Simulator", "is no gateway"), ("command", "is no gateway"),
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
}
