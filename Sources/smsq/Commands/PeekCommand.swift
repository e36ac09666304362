import ArgumentParser
#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif
import MessageQueue
import RedisClient
import SMS
import Wire

struct PeekCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "peek",
    abstract: "Show the messages that are next in line, and leave them there.",
    discussion: "With --json, one object a line with the whole payload, texts and numbers included."
  )

  @OptionGroup var redis: RedisOptions
  @OptionGroup var queueOption: QueueOption
  @OptionGroup var country: CountryCodeOption

  @Option(name: .shortAndLong, help: ArgumentHelp("How many.", valueName: "number"))
  var number = 10

  @Flag(help: "Write one JSON object a line for each message.")
  var json = false

  @Flag(help: "Write telephone numbers in full.")
  var showNumbers = false

  private struct Line: Encodable {
    let position: Int
    let id: String?
    let failures: Int
    let crashes: Int
    /// Nil where it is no UTF-8, and so no JSON string.
    let payload: String?
    /// Only where there is no ``payload``.
    let payloadBase64: String?
  }

  /// What a terminal or a pipe bears at once: 16 MiB.
  private static let mostBytes = 16 << 20

  func validate() throws {
    if !(1...10_000).contains(number) { throw ValidationError("--number is \(number): write 1 to 10000.") }
  }

  func run() async throws {
    let elements: [Element]
    let leftOut: Int
    do {
      (elements, leftOut) = try await MessageQueue(queueOption.queue, on: redis.connection()).peek(
        number,
        mostBytes: Self.mostBytes
      )
    } catch {
      throw Failure(error)
    }
    if elements.isEmpty && !json { Terminal.note("queue \(queueOption.queue) is empty") }
    for (index, element) in elements.enumerated() {
      try Terminal.print(json ? jsonLine(index + 1, element) : textLine(index + 1, element))
    }
    if leftOut > 0 { Terminal.note("\(leftOut) more are left out: a look takes no more than 16 MB") }
  }

  private func jsonLine(_ position: Int, _ element: Element) throws -> String {
    let message = try? decode(element)
    let payload = String(validating: element.payload, as: UTF8.self)
    return try JSONLine.encode(
      Line(
        position: position,
        id: message?.id ?? element.history.id,
        failures: element.history.failures,
        crashes: element.history.crashes,
        payload: payload,
        payloadBase64: payload == nil ? Data(element.payload).base64EncodedString() : nil
      )
    )
  }

  private func textLine(_ position: Int, _ element: Element) -> String {
    let tries = element.history.failures + element.history.crashes
    let history = tries == 0 ? "" : " tries=\(tries)"
    do {
      let message = try decode(element)
      let number = showNumbers ? message.to.e164 : message.to.masked
      let queued = message.queuedAt.map { " queued_at=\(Timestamp.rfc3339($0))" } ?? ""
      return "\(position) id=\(message.id) to=\(number) segments=\(message.segmentation.segments)\(history)\(queued)"
        .printable
    } catch {
      return "\(position) id=\(element.history.id ?? "-") unreadable: \(error)\(history)".printable
    }
  }

  private func decode(_ element: Element) throws(MessageError) -> TextMessage {
    try TextMessage.decode(
      payload: element.payload,
      assignedID: element.history.id ?? "-",
      defaultCountryCode: country.defaultCountryCode
    )
  }
}
