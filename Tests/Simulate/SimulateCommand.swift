import ArgumentParser
import Simulation

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Runs simulated histories: see `make help`.
@main
struct SimulateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Run histories of workers in a simulated world, and print the seeds of those in which something is wrong."
  )

  @Option(help: "How many histories.")
  var seeds = 10_000

  @Option(help: "For how many seconds to begin new ones, at most.")
  var seconds: Int?

  @Option(help: "The first seed. Another one each time by default.")
  var from: UInt64?

  @Option(help: "Show the history of this seed, event by event; of one that fails no more than it takes to fail.")
  var seed: UInt64?

  func run() async throws {
    if let seed {
      let fault = Simulate.replay(seed) { print($0) }
      print(fault.map { "wrong: \($0)" } ?? "nothing is wrong")
      if fault != nil { throw ExitCode(1) }
      return
    }
    let first = from ?? UInt64.random(in: 0..<1_000_000_000) * 1_000_000
    let start = ContinuousClock.now
    let outcome = await Simulate.run(
      from: first,
      most: seeds,
      for: seconds.map { .seconds($0) },
      tasks: ProcessInfo.processInfo.activeProcessorCount
    ) { print("seed \($0): \($1)") }
    let time = (ContinuousClock.now - start) / .seconds(1)
    print(
      "\(outcome.count) histories from seed \(first), \(Int(Double(outcome.count) / time)) a second, "
        + "\(outcome.faults.count) failed"
    )
    if !outcome.faults.isEmpty { throw ExitCode(1) }
  }
}
