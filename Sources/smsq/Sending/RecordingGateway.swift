import Gateways
import ProcessTable
import SMS

/// The simulator with books: what it takes is in the outbox before it says so.
struct RecordingGateway: Gateway {
  private let simulator: SimulatedGateway
  private let outbox: Outbox

  init(_ simulator: SimulatedGateway, in database: ProcessDatabase) {
    self.simulator = simulator
    outbox = Outbox(database)
  }

  var name: String { simulator.name }

  func send(_ message: TextMessage, attempt: Attempt) async throws -> GatewayAnswer {
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
          content: message.text ?? "{\(String(decoding: message.extras.members, as: UTF8.self))}",
          segments: message.segmentation?.segments ?? 1,
          sentAt: ProcessDatabase.now()
        )
      )
      return nil
    } catch let error as TableError {
      return .temporaryFailure(code: "outbox", reason: error.description, retryAfter: nil)
    }
  }
}
