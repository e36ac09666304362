import ArgumentParser
import MessageQueue
import RedisClient
import Reports
import SMS
import Wire

struct CancelCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel",
    abstract: "Take messages back that wait or are scheduled.",
    discussion: """
        smsq cancel order-17
        smsq cancel --scheduled --to +8613800138000
        smsq cancel --scheduled --after 2026-12-24T00:00:00+08:00 --before 2026-12-27T00:00:00+08:00

      A message that was cancelled is not sent, unless it had been tried before. It is too late for one in a worker's hand, \
      and for what is sent, expired or dead: that is said, and the exit code is 65. The id of a cancelled message is free \
      again. Cancelling it again is no failure, as long as it is known: see --keep.
      """
  )

  @OptionGroup var redis: RedisOptions
  @OptionGroup var queueOption: QueueOption

  @Argument(help: ArgumentHelp("Ids of messages, as for smsq status.", valueName: "id"))
  var ids: [String] = []

  @Flag(help: "Those that are scheduled or to be tried again: all, or those that the next options select.")
  var scheduled = false

  @Option(help: ArgumentHelp("Those due before this time.", valueName: "RFC 3339"), transform: Self.time)
  var before: Int64?

  @Option(help: ArgumentHelp("Those due after this time.", valueName: "RFC 3339"), transform: Self.time)
  var after: Int64?

  @Option(help: ArgumentHelp("Those to this number.", valueName: "number"))
  var to: String?

  @OptionGroup var country: CountryCodeOption

  @Option(
    help: ArgumentHelp("How long smsq status can tell that they were cancelled; 0s not at all.", valueName: "time")
  )
  var keep: Duration = .seconds(24 * 3600)

  @Flag(help: "Do not ask, also when it is about more than one.")
  var yes = false

  @Flag(help: "Write the result as JSON: an object for each id, or one for all.")
  var json = false

  private static let time: @Sendable (String) throws -> Int64 = { text in
    guard let time = Timestamp.milliseconds(text) else {
      throw ValidationError("'\(text)' \(Timestamp.complaint(of: text)).")
    }
    return time
  }

  func validate() throws {
    let hasFilter = before != nil || after != nil || to != nil
    if !ids.isEmpty && (scheduled || hasFilter) {
      throw ValidationError("Ids say which messages are meant: leave out --scheduled, --before, --after and --to.")
    }
    if ids.isEmpty && !scheduled {
      throw ValidationError(
        hasFilter
          ? "--before, --after and --to are about scheduled messages: add --scheduled."
          : "Say which messages to cancel: ids, or --scheduled."
      )
    }
    if let before, let after, after >= before {
      throw ValidationError(
        "--after \(Timestamp.rfc3339(after)) with --before \(Timestamp.rfc3339(before)) leaves nothing."
      )
    }
    _ = try recipient
  }

  private var recipient: String? {
    get throws { try MessageFilter.recipient(to, option: "--to", country) }
  }

  func run() async throws {
    let queue = redis.queue(queueOption.queue)
    do {
      if ids.isEmpty { try await cancelScheduled(of: queue) } else { try await cancelThese(of: queue) }
    } catch let error as RedisError {
      throw Failure(error)
    }
  }

  private func cancelThese(of queue: ShardedQueue) async throws {
    let cancellation = try await Cancellation(of: ids, in: queue, keepingRecords: keep)
    let done = cancellation.statuses.count { $0.state == .cancelled }
    try Terminal.print(
      try cancellation.statuses.map { json ? try JSONLine.encode($0) : $0.line }.joined(separator: "\n"),
      done: "cancelled \(done) of \(ids.count) messages"
    )
    for status in cancellation.statuses {
      if cancellation.replaced.contains(status.id) {
        Terminal.note("\(status.id.printable) lies deep in a long list: what stands for it there will count as expired")
      } else if let reason = status.tooLate {
        Terminal.note("\(status.id.printable) is not cancelled: \(reason.printable)")
      }
    }
    if done < cancellation.statuses.count { throw ExitCode.dataError }
  }

  private func cancelScheduled(of queue: ShardedQueue) async throws {
    let filter = MessageFilter(
      recipient: try recipient,
      defaultCountryCode: country.defaultCountryCode,
      before: before,
      after: after
    )
    var selection = MessageSelection(filter, at: .scheduled)
    let shards = try await queue.shards()
    for shard in shards { try await selection.count(in: shard) }
    let matched = selection.count
    let what = "\(matched) scheduled message\(matched == 1 ? "" : "s") of queue \(queue.name)"
    let isGiven = try await Confirmation.isGiven(to: "cancel", matched, what, yes, queue)
    var done = 0
    if isGiven {
      for shard in shards {
        var pages = MessagePages(of: .scheduled, in: shard)
        while let page = try await pages.next() {
          let messages = page.found.filter(selection.contains)
            .map { Taking($0, at: .scheduled, end: MessageEnd(cancelled: $0)) }
          let taken = try await shard.take(messages, for: .cancelled, keepingRecords: keep).count { $0 == .out }
          pages.forget(taken)
          done += taken
        }
      }
    }
    try TakingResult(queue: "\(queue.name)", matched: matched, cancelled: done).report(
      "cancelled \(done) scheduled message\(done == 1 ? "" : "s") of queue \(queue.name)",
      json: json
    )
  }
}

extension MessageStatus {
  /// Why a message cannot be cancelled; nil where it was.
  fileprivate var tooLate: String? {
    switch state {
    case .cancelled: nil
    case .claimed:
      "it is in the hand of worker \(worker ?? "-"), which may be sending it; should it fail, it can be cancelled then"
    case .moving: "it is on its way to \(to ?? "-"); cancel it there"
    case .dead: "it is dead (\(reason ?? "-")); smsq dead remove deletes it"
    case .sent: "it was sent"
    case .expired: "it has expired"
    case .accepted: "it is done, or was removed; which, workers with --keep would know"
    case .unknown: "queue \(queue) knows of no message with this id"
    case .waiting, .scheduled, .retry: "it moved while it was looked for; try again"
    }
  }
}

extension MessageFilter {
  /// The number that an option names, in E.164.
  static func recipient(_ text: String?, option: String, _ country: CountryCodeOption) throws -> String? {
    guard let text else { return nil }
    do {
      return try PhoneNumber(text, defaultCountryCode: country.defaultCountryCode).e164
    } catch {
      throw ValidationError("\(option): \(error).")
    }
  }
}

/// What came of taking messages, for scripts.
struct TakingResult: Encodable {
  let queue: String
  let matched: Int
  var cancelled: Int?
  var purged: Int?
  var moved: Int?
  var to: String?

  func report(_ text: String, json: Bool) throws {
    if json {
      try Terminal.print(JSONLine.encode(self), done: text)
    } else if matched > 0 {
      try Terminal.print(text, done: text)
    } else {
      Terminal.note("nothing in queue \(queue) matches")
    }
  }
}
