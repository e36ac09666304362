import MessageQueue
import RedisClient
import SMS

/// Pushes messages by the Swift API, which is what `smsq push` calls, and says how fast that was, as JSON.
///
///     PushAPI URL COUNT BYTES MESSAGES CALLS
///
/// MESSAGES go into one script call, CALLS of them into one round trip; 1 and 1 is one message a call, each awaited before
/// the next. Otherwise the next round trip is made ready while Redis has the last one, as `smsq push --file` does. Each
/// message begins as JSON, and is checked and made complete on its way: no producer could leave that out.
@main
struct PushAPI {
  let queue: MessageQueue
  let count: Int
  let messagesPerCall: Int
  let callsPerTrip: Int
  /// Some thousands of them in turn: making them is the producer's own work, and not what is measured.
  let payloads: [[UInt8]]
  let defaults: PreparedMessage.Defaults

  static func main() async throws {
    let arguments = CommandLine.arguments
    let numbers = arguments.dropFirst(2).compactMap { Int($0) }
    guard arguments.count == 6, numbers.count == 4, numbers.allSatisfy({ $0 > 0 }) else {
      fatalError("usage: PushAPI URL COUNT BYTES MESSAGES CALLS")
    }
    let connection = RedisConnection(to: try RedisEndpoint(arguments[1]), options: .init(name: "push-api"))
    let queue = MessageQueue(QueueName("sms")!, on: connection)
    let push = PushAPI(
      queue: queue,
      count: numbers[0],
      messagesPerCall: numbers[2],
      callsPerTrip: numbers[3],
      payloads: (0..<10_000).map { payload($0, bytes: numbers[1]) },
      defaults: try PreparedMessage.Defaults(queuedAt: try await queue.now())
    )
    // Has the script loaded, which a producer does once in its life.
    _ = try await queue.enqueue([try push.message(0)])

    let began = ContinuousClock.now
    if push.messagesPerCall == 1 && push.callsPerTrip == 1 {
      try await push.oneByOne()
    } else {
      try await push.pipelined()
    }
    let seconds = (ContinuousClock.now - began) / .seconds(1)
    print("{\"messages_per_second\":\(Double(push.count) / seconds)}")
  }

  private func oneByOne() async throws {
    for number in 0..<count {
      _ = try await queue.enqueue([try message(number)])
    }
  }

  private func pipelined() async throws {
    let queue = queue
    var underway: Task<Void, any Error>?
    var next = 0
    while next < count {
      var trip: [OutgoingBatch] = []
      while next < count && trip.count < callsPerTrip {
        let end = min(next + messagesPerCall, count)
        var batch = OutgoingBatch()
        for number in next..<end { batch.append(try message(number)) }
        trip.append(batch)
        next = end
      }
      try await underway?.value
      underway = Task.immediate { [trip] in
        for result in try await queue.enqueue(pipelined: trip) { _ = try result.get() }
      }
    }
    try await underway?.value
  }

  private func message(_ number: Int) throws -> OutgoingMessage {
    let prepared = try PreparedMessage(payload: payloads[number % payloads.count], defaults: defaults)
    return OutgoingMessage(payload: prepared.payload, callerID: prepared.callerID)
  }

  private static func payload(_ number: Int, bytes: Int) -> [UInt8] {
    let digits = String(repeating: "0", count: 7 - String(number).count) + String(number)
    func payload(_ text: String) -> [UInt8] {
      PreparedMessage.payload([("to", "+861380\(digits)"), ("text", text), ("from", "ACME")])
    }
    let text = "Your code is \(digits). " + String(repeating: "Do not show it to anyone. ", count: bytes / 26 + 1)
    return payload(String(text.prefix(max(1, bytes - payload("").count))))
  }
}
