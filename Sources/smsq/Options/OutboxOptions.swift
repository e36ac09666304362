import ArgumentParser

struct OutboxOptions: ParsableArguments {
  @Flag(help: "Have the simulator record what it sends in the table `message` of --database.")
  var outbox = false
}
