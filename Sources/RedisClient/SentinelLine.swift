/// A connection to one sentinel. It belongs to one thread, as ``RedisStream`` does.
final class SentinelLine {
  /// How long a sentinel may take to connect, and how long to answer. It has little else to do.
  static let patience = Duration.milliseconds(500)

  let stream: RedisStream
  /// What stands in front of the first answer.
  private var greetings: Int

  /// Connects; what is said first goes with the first question.
  ///
  /// - Parameter name: shown by its CLIENT LIST.
  init(
    to sentinel: RedisEndpoint.Address,
    of endpoint: RedisEndpoint,
    as name: String,
    socket: GuardedSocket
  ) throws(RedisError) {
    stream = try RedisStream.open(
      sentinel,
      tls: endpoint.tls,
      timeout: Self.patience,
      unansweredAfter: Self.patience * 4,
      socket: socket
    )
    stream.setPatience(Self.patience)
    var commands = [RedisCommand("CLIENT", "SETNAME", name.filter { $0 > " " && $0 < "\u{7F}" })]
    if let password = endpoint.sentinelPassword {
      let login = endpoint.sentinelUser.map { RedisCommand("AUTH", $0, password) } ?? RedisCommand("AUTH", password)
      commands.insert(login, at: 0)
    }
    for command in commands { try stream.append(command) }
    greetings = commands.count
  }

  /// Asks, and returns without the answer: ``answer(within:)``.
  func ask(for master: String) throws(RedisError) {
    try stream.append(Self.question(master))
    try stream.flush()
  }

  private static func question(_ master: String) -> RedisCommand {
    RedisCommand("SENTINEL", "get-master-addr-by-name", master)
  }

  /// - Returns: the reply, nil where it is not here in time. A refused login in its place.
  func answer(within patience: Duration) throws(RedisError) -> RedisReply? {
    var refusal: RedisReply?
    while greetings > 0 {
      guard let reply = try stream.replyIfHere(within: patience) else { return nil }
      greetings -= 1
      if case .error(let error) = reply, error.cause == .badLogin || error.cause == .noLoginWanted { refusal = reply }
    }
    guard let reply = try stream.replyIfHere(within: patience) else { return nil }
    return refusal ?? reply
  }

  func run(_ command: RedisCommand) throws(RedisError) -> RedisReply {
    try stream.append(command)
    try stream.flush()
    guard let reply = try answer(within: Self.patience) else {
      throw RedisError(code: .timedOut, message: "no answer in time")
    }
    return reply
  }

  // MARK: At once

  /// Connects, asks, and hangs up.
  ///
  /// - Throws: only what cuts short whoever asks; all else is an answer.
  static func ask(
    _ sentinel: RedisEndpoint.Address,
    of endpoint: RedisEndpoint,
    for master: String,
    as name: String,
    socket: GuardedSocket
  ) throws(RedisError) -> SentinelAnswer {
    do throws(RedisError) {
      let line = try SentinelLine(to: sentinel, of: endpoint, as: name, socket: socket)
      defer { line.stream.close() }
      if let answer = SentinelAnswer(try line.run(question(master))) { return answer }
      return .unknown(others: SentinelAnswer.names(try line.run(RedisCommand("SENTINEL", "masters"))))
    } catch {
      if socket.isInterrupted {
        throw RedisError(code: .interrupted, message: "the connection was closed on purpose")
      }
      return .failed(error)
    }
  }
}
