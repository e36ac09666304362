import ArgumentParser
import Worker

struct UnknownOption: ParsableArguments {
  @Option(help: "What the gateway may have sent and did not answer: send it again, or hold it among the dead letters.")
  var onUnknown = WorkerOptions.MayBeSent.resend
}

extension WorkerOptions.MayBeSent: ExpressibleByArgument {}
