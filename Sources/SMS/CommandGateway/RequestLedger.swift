/// Which requests wait for the program, which it was given, and which of its input's bytes are whose. A pure value.
///
///     submit --> waiting --lines--> handed over --answer-->
///                   ^                    |
///                   +---- unread --------+  the program ended
///
/// The one question that matters when a program ends is whether it may have sent a message. It cannot have if it never
/// read the line: such a request goes back in line for the program's next life. All others have no answer.
struct RequestLedger {
  typealias Completion = @Sendable (Result<GatewayAnswer, any Error>) -> Void

  struct Request {
    let line: [UInt8]
    /// The segments that we count, for a program that does not say.
    let segments: Int
    /// Nil once cancelled: the program has the line all the same, and may answer it or hang over it.
    fileprivate(set) var completion: Completion?
    fileprivate let submitted: ContinuousClock.Instant
    fileprivate var handedOver: (at: ContinuousClock.Instant, offset: Int)?

    init(line: [UInt8], segments: Int, submitted: ContinuousClock.Instant, completion: @escaping Completion) {
      self.line = line
      self.segments = segments
      self.submitted = submitted
      self.completion = completion
    }
  }

  private var requests: [UInt64: Request] = [:]
  /// Refs of waiting requests, the oldest first. May name requests that are no more.
  private var line: [UInt64] = []
  private var firstInLine = 0
  /// How many bytes of lines this life of the program was given.
  private var offset = 0

  mutating func submit(_ ref: UInt64, _ request: Request) {
    requests[ref] = request
    line.append(ref)
  }

  /// - Returns: the caller to tell, if it has not been told anything yet.
  mutating func cancel(_ ref: UInt64) -> Completion? {
    guard let request = requests[ref] else { return nil }
    if request.handedOver == nil { requests[ref] = nil } else { requests[ref]?.completion = nil }
    return request.completion
  }

  /// The next lines for the program: one at least if any waits, and no more once there are `limit` bytes.
  mutating func handOver(limit: Int, now: ContinuousClock.Instant) -> [UInt8] {
    var bytes: [UInt8] = []
    while firstInLine < line.count, bytes.count < limit {
      let ref = line[firstInLine]
      firstInLine += 1
      guard let request = requests[ref] else { continue }
      requests[ref]?.handedOver = (now, offset + bytes.count)
      bytes += request.line
    }
    offset += bytes.count
    if firstInLine == line.count || firstInLine > 4096 {
      line.removeFirst(firstInLine)
      firstInLine = 0
    }
    return bytes
  }

  /// Takes out the request that an answer belongs to; nil if the program was not given it, or has answered before.
  mutating func answered(_ ref: UInt64) -> Request? {
    guard let request = requests[ref], request.handedOver != nil else { return nil }
    requests[ref] = nil
    return request
  }

  /// Takes out what was not handed over in time.
  mutating func takeOverdue(now: ContinuousClock.Instant, timeout: Duration) -> [Completion] {
    let overdue = requests.filter { $1.handedOver == nil && $1.submitted + timeout <= now }
    for ref in overdue.keys { requests[ref] = nil }
    return overdue.values.compactMap(\.completion)
  }

  /// Whether the program has kept a request for so long without an answer.
  func hasHung(now: ContinuousClock.Instant, timeout: Duration) -> Bool {
    requests.values.contains { request in request.handedOver.map { $0.at + timeout <= now } ?? false }
  }

  /// Whether an answer may still come from a program that has read so many bytes of lines, and will read no more.
  func isOwed(consumed: Int) -> Bool {
    requests.values.contains { request in request.handedOver.map { $0.offset < consumed } ?? false }
  }

  /// Closes the books on one life of the program.
  ///
  /// - Parameter consumed: how many bytes of lines it has read. A line that it has begun to read counts as read.
  /// - Returns: who waits for an answer that will not come.
  mutating func programEnded(consumed: Int) -> [Completion] {
    let handedOver = requests.compactMap { ref, request in request.handedOver.map { (ref, $0.offset, request) } }
    var unread: [(ref: UInt64, offset: Int)] = []
    var lost: [Completion] = []
    for (ref, offset, request) in handedOver {
      if offset >= consumed, request.completion != nil {
        requests[ref]?.handedOver = nil
        unread.append((ref, offset))
      } else {
        requests[ref] = nil
        if let completion = request.completion { lost.append(completion) }
      }
    }
    line = unread.sorted { $0.offset < $1.offset }.map(\.ref) + line[firstInLine...]
    firstInLine = 0
    offset = 0
    return lost
  }

  /// Takes out everything that waits, for the end.
  mutating func takeWaiting() -> [Completion] {
    let waiting = requests.filter { $1.handedOver == nil }
    for ref in waiting.keys { requests[ref] = nil }
    line = []
    firstInLine = 0
    return waiting.values.compactMap(\.completion)
  }
}
