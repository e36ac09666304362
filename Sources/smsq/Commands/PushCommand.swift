import ArgumentParser
import MessageQueue
import RedisClient
import SMS
import Wire

struct PushCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "push",
    abstract: "Put messages into a queue.",
    discussion: """
      One message:
        smsq push --to +8613800138000 --text "Your code is 123456" --expires-in 5m
        smsq push --to +8613800138000 --template SMS_1 --template-param code=123456
      Many, from a file or standard input:
        smsq push --file messages.jsonl
        smsq push --file - < messages.csv

      A line of a JSONL file is an object such as {"to":"+8613800138000","text":"hi"}; a CSV file names its columns in the \
      first line: to,text,from,id,expires_at, between commas, semicolons or tabs. Other fields are kept; template and \
      template_params, as {"code":"123456"} or ["123456"], may stand in place of text. Prints the \
      message's id, or for a file how many messages were queued; what is wrong with a line is said on standard error.

      An id of yours that was accepted before is not queued again, and that is no failure: it is said, for a file with \
      the lines, and --json has the status "duplicate". `smsq dead remove` frees the ids of what it removes.

      Any other program can push as well: redis-cli LPUSH sms '{"to":"+8613800138000","text":"hi"}'
      """
  )

  @OptionGroup var redis: RedisOptions
  @OptionGroup var queueOption: QueueOption

  @Option(help: ArgumentHelp("The telephone number, as +8613800138000.", valueName: "number"))
  var to: String?

  @Option(help: "The text.")
  var text: String?

  @OptionGroup var template: TemplateOptions
  @OptionGroup var sender: SenderOption

  @Option(
    help: ArgumentHelp("Your own id for the message. The same id is accepted once; see --id-lifetime.", valueName: "id")
  )
  var id: String?

  @Option(name: .customLong("in"), help: ArgumentHelp("Send it so long from now, such as 10m.", valueName: "time"))
  var delay: Duration?

  @Option(
    help: ArgumentHelp("Send it at this time, such as 2026-12-24T18:00:00+08:00.", valueName: "RFC 3339"),
    transform: { text in
      guard let time = Timestamp.milliseconds(text) else {
        throw ValidationError("'\(text)' \(Timestamp.complaint(of: text)).")
      }
      return time
    }
  )
  var at: Int64?

  @Option(help: ArgumentHelp("Do not send it later than so long from now, such as 5m.", valueName: "time"))
  var expiresIn: Duration?

  @Option(help: ArgumentHelp("A file of messages, .jsonl, .csv or .tsv, or - for standard input.", valueName: "path"))
  var file: String?

  @Option(help: "How to read the file: by its name, or as told.")
  var format = InputFormat.auto

  @Flag(help: "Queue nothing of a file unless every line of it is good.")
  var strict = false

  @Option(
    help: ArgumentHelp(
      "Refuse when more messages than this would wait; each shard of a queue takes its part.",
      valueName: "number"
    )
  )
  var maxQueue: Int?

  @Option(
    help: ArgumentHelp(
      "Refuse a message whose payload is larger. Workers have this option, too.",
      valueName: "size"
    )
  )
  var maxPayload = PayloadSize.standard

  @Option(help: ArgumentHelp("How long an id of yours is remembered; 0s not at all.", valueName: "time"))
  var idLifetime = standardIDLifetime

  static let standardIDLifetime = Duration.seconds(24 * 3600)

  @OptionGroup var country: CountryCodeOption
  @OptionGroup var segments: MaxSegmentsOption

  @Flag(help: "Write the result as one JSON object.")
  var json = false

  func validate() throws {
    if file != nil {
      if to != nil || text != nil || id != nil || !template.isEmpty {
        throw ValidationError(
          "--file brings its own messages: leave out --to, --text, --template, --template-param, --sign and --id."
        )
      }
      try sender.checkForFile()
    } else {
      if strict { throw ValidationError("--strict is about the lines of a --file.") }
    }
    if delay != nil && at != nil { throw ValidationError("Give --in or --at, not both.") }
    if let maxQueue, maxQueue < 1 { throw ValidationError("--max-queue is \(maxQueue): write 1 or more.") }
  }

  func run() async throws {
    // Not in validate(), which comes before the parser can complain of an option that it does not know, such as --tekst.
    if file == nil {
      if to == nil || text == nil && template.template == nil {
        throw ValidationError(
          "A message needs --to, and --text or --template; many messages come with --file."
        )
      }
      try template.checkContent(beside: text)
    }
    let queue = redis.queue(queueOption.queue)
    do {
      if let file {
        try await BulkPush(command: self, queue: queue).run(file)
      } else {
        try await pushOne(to: queue)
      }
    } catch let error as RedisError {
      throw Failure(error)
    }
  }

  /// - Parameter now: Redis' time, Unix ms: the clock by which workers will decide what has expired.
  func defaults(now: Int64?) throws(MessageError) -> PreparedMessage.Defaults {
    try PreparedMessage.Defaults(
      countryCode: country.defaultCountryCode,
      from: sender.from,
      expiresAt: expiresIn.flatMap { time in now.map { $0 + time.milliseconds } },
      queuedAt: now.map(due.time(from:)),
      maxSegments: segments.maxSegments,
      maxPayload: maxPayload.bytes
    )
  }

  var due: OutgoingMessage.Due {
    if let delay { return .after(delay) }
    if let at { return .at(at) }
    return .now
  }

  private func pushOne(to queue: ShardedQueue) async throws {
    var members = [("to", to ?? "")]
    if let text { members.append(("text", text)) }
    if let id { members.append(("id", id)) }
    let payload = try template.payload(members)
    // Checked before Redis is asked for anything: what is wrong with the message is wrong without Redis, too.
    _ = try prepare(payload, now: nil)
    var pusher = Pusher(to: queue)
    let now = try await pusher.now()
    let prepared = try prepare(payload, now: now)

    let message = OutgoingMessage(payload: prepared.payload, callerID: prepared.callerID, due: due)
    let (answer, shard) = try await pusher.enqueue(message, maxWaiting: maxQueue ?? 0, rememberIDs: idLifetime)
    switch answer {
    case .stale: throw Pusher.unsettled(queue.name)
    case .full(let waiting):
      throw Failure("\(tooLong(waiting, shard, pusher.spread)); nothing was queued, try again later", .tempFail)
    case .queued(let count, let waiting, _):
      let dead = count == 0 ? await deadLetter(prepared.id, of: shard, now: now) : nil
      let result = PushResult(
        id: prepared.id,
        queue: queue.name.description,
        shard: pusher.spread.shards > 1 ? shard.name.description : nil,
        status: count == 0 ? "duplicate" : due.isAfter(now) ? "scheduled" : "queued",
        to: prepared.to.e164,
        segments: prepared.segmentation?.segments,
        encoding: prepared.segmentation?.encoding.rawValue,
        waiting: waiting,
        deadReason: dead.map { $0.element.reason ?? "" }
      )
      let repeated = Self.duplicateNote(result).printable
      try Terminal.print(
        json ? JSONLine.encode(result) : result.id,
        done: count == 0 ? repeated : "the message is queued with the id \(result.id), do not push it again"
      )
      if count == 0 { Terminal.note(repeated) }
    }
  }

  /// - Parameter waiting: how many messages wait in the shard.
  func tooLong(_ waiting: Int, _ shard: MessageQueue, _ spread: Spread) -> String {
    let (queue, most) = (queueOption.queue, maxQueue ?? 0)
    return spread.shards == 1
      ? "queue \(queue) is too long: \(waiting) messages wait and --max-queue is \(most)"
      : "queue \(queue) is too long: \(waiting) messages wait in its shard \(shard.name), whose part of --max-queue \(most) "
        + "is \(spread.part(of: most))"
  }

  private static func duplicateNote(_ result: PushResult) -> String {
    let before = "the id \(result.id) was accepted before; the message was not queued again"
    guard let reason = result.deadReason else { return before }
    return
      "\(before), and that one is dead (\(reason)): send it with smsq dead retry, or free its id with smsq dead remove"
  }

  /// The dead letter that holds an id, if it can be found: somebody who pushes again may take it for sent. To look is no part
  /// of the push, and a producer may not be allowed to.
  private func deadLetter(_ id: String, of queue: MessageQueue, now: Int64) async -> DeadLetter? {
    // What died before an id could be remembered does not hold it.
    var pages = DeadLetterPages(of: queue, from: now - idLifetime.milliseconds)
    while let page = try? await pages.next(), !page.isEmpty {
      if let letter = page.last(where: { PayloadGlimpse($0.element.payload).id == id }) { return letter }
    }
    return nil
  }

  private func prepare(_ payload: [UInt8], now: Int64?) throws -> PreparedMessage {
    do {
      return try PreparedMessage(payload: payload, defaults: defaults(now: now))
    } catch {
      throw Failure("\(error)", .dataError)
    }
  }
}

extension OutgoingMessage.Due {
  /// When a message is queued for sending: now, or as it is due. So it is no older than that, whoever counts.
  ///
  /// - Parameter now: Redis' time, Unix ms.
  func time(from now: Int64) -> Int64 {
    switch self {
    case .now: now
    case .after(let delay): now + delay.milliseconds
    case .at(let time): max(now, time)
    }
  }

  /// - Parameter now: Redis' time, Unix ms.
  fileprivate func isAfter(_ now: Int64) -> Bool {
    switch self {
    case .now: false
    case .after(let delay): delay > .zero
    case .at(let time): time > now
    }
  }
}

private struct PushResult: Encodable {
  let id: String
  let queue: String
  /// Where the queue has several: the one that the message is in.
  let shard: String?
  let status: String
  let to: String
  /// Both nil for a template.
  let segments: Int?
  let encoding: String?
  /// In the shard, where the queue has several.
  let waiting: Int
  /// Of a duplicate: why the message that has the id is among the dead letters; nil where it is not.
  let deadReason: String?
}
