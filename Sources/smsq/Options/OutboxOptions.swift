import ArgumentParser
import ProcessTable
import SMS

struct OutboxOptions: ParsableArguments {
  @Flag(help: "Have the simulator record what it sends in the table `message` of --database.")
  var outbox = false
}

extension GatewayOptions {
  /// - Parameter database: where the simulator records what it sends; nil for nowhere.
  /// - Throws: ``Failure`` where a database is given and the gateway is not the simulator.
  func makeGateway(recordingIn database: ProcessDatabase?) throws -> any Gateway {
    let gateway = makeGateway()
    guard let database else { return gateway }
    guard let simulator = gateway as? SimulatedGateway else {
      throw Failure("--outbox is for --gateway simulator: a real provider keeps its own books", .usage)
    }
    return RecordingGateway(simulator, Outbox(database))
  }
}

/// The simulator with books: what it takes is in the outbox before it says so.
struct RecordingGateway: Gateway {
  private let simulator: SimulatedGateway
  private let outbox: Outbox

  init(_ simulator: SimulatedGateway, _ outbox: Outbox) {
    self.simulator = simulator
    self.outbox = outbox
  }

  var name: String { simulator.name }

  func send(_ message: TextMessage, attempt: Int) async throws -> GatewayAnswer {
    do {
      let answer = try await simulator.send(message, attempt: attempt)
      guard case .accepted = answer else { return answer }
      return try await record(message) ?? answer
    } catch let lost as GatewayConnectionLost {
      // It was taken all the same; only its sender does not know.
      if let failure = try await record(message) { return failure }
      throw lost
    }
  }

  /// - Returns: the answer where the message could not be recorded: it then was not taken.
  private func record(_ message: TextMessage) async throws -> GatewayAnswer? {
    do {
      try await outbox.record(
        SentMessage(
          id: message.id,
          userId: message.userID,
          mobile: message.to.e164,
          content: message.text,
          segments: message.segmentation.segments,
          sentAt: ProcessDatabase.now()
        )
      )
      return nil
    } catch let error as TableError {
      return .temporaryFailure(code: "outbox", reason: error.description, retryAfter: nil)
    }
  }
}
