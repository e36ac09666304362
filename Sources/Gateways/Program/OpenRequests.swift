/// Which requests wait for the program, and what each of its lives has of them. A pure value.
///
///     submit --> waiting --handOver--> unread --read--> in hand --answered-->
///                 |  ^                   |                 |
///     <--refused--+  +-----takeBack------+                 +--takeLate--> late --> (an answer is noise)
///
/// The one question is whether a life may have sent a message. It cannot have if it never read the line: such a request is
/// taken back, and may be handed to another life. One that was read stays with that life until it is answered, or its caller
/// has been told that the outcome is unknown.
struct OpenRequests {
  typealias Completion = @Sendable (Result<GatewayAnswer, any Error>) -> Void
  /// A number for each life of the program.
  typealias Life = Int

  struct Request {
    let line: [UInt8]
    /// The segments that we count, for a program that does not say.
    let segments: Int?
    /// Nil once the caller was told something: the program has the line all the same, and may answer it or hang over it.
    fileprivate(set) var completion: Completion?
    fileprivate let submitted: ContinuousClock.Instant
    fileprivate let mayBegin: @Sendable () -> Bool
    fileprivate var place = Place.waiting

    /// - Parameter mayBegin: asked as the last thing before the line is handed over. Must not block.
    init(
      line: [UInt8],
      segments: Int?,
      submitted: ContinuousClock.Instant,
      mayBegin: @escaping @Sendable () -> Bool,
      completion: @escaping Completion
    ) {
      self.line = line
      self.segments = segments
      self.submitted = submitted
      self.mayBegin = mayBegin
      self.completion = completion
    }
  }

  fileprivate enum Place {
    case waiting
    case unread(Life, since: ContinuousClock.Instant)
    case inHand(Life, since: ContinuousClock.Instant)
    case late(Life)
  }

  struct HandOver {
    var bytes: [UInt8] = []
    /// Whose messages must not be begun any more.
    var refused: [Completion] = []
  }

  struct Overdue {
    /// Whose messages waited for too long.
    var waiting: [Completion] = []
    /// Whose messages must not be begun any more.
    var refused: [Completion] = []
  }

  struct Late {
    /// How many have become late, the cancelled among them.
    var count = 0
    var callers: [Completion] = []
  }

  enum Match {
    case open(Request)
    /// Its time was over, and its caller has been told so.
    case late
    /// The life was not given it, or has answered it before.
    case none
  }

  private var requests: [UInt64: Request] = [:]
  /// Refs of waiting requests, the oldest first. May name requests that are no more.
  private var line: [UInt64] = []
  private var firstInLine = 0
  /// Of each life, the lines that it has not read as far as is known, and where in its input they begin. May name requests
  /// that are no more.
  private var unread: [Life: [(ref: UInt64, offset: Int)]] = [:]
  /// When a life read a line, or was found to be late with one and is followed by another: nobody waits in vain.
  private var lastProgress: ContinuousClock.Instant?

  mutating func submit(_ ref: UInt64, _ request: Request) {
    requests[ref] = request
    line.append(ref)
  }

  /// - Returns: the caller to tell, if it has not been told anything yet, and whether a life was handed the line.
  mutating func cancel(_ ref: UInt64) -> (caller: Completion?, wasHandedOver: Bool) {
    guard let request = requests[ref] else { return (nil, false) }
    if case .waiting = request.place {
      requests[ref] = nil
      return (request.completion, false)
    }
    requests[ref]?.completion = nil
    return (request.completion, true)
  }

  // MARK: Lines

  /// The next lines for a life: one at least if any waits, then as many as the limits allow.
  ///
  /// - Parameter offset: how many bytes of lines it was given before.
  mutating func handOver(
    to life: Life,
    at offset: Int,
    limit: (lines: Int, bytes: Int),
    now: ContinuousClock.Instant
  ) -> HandOver {
    var result = HandOver()
    var lines = 0
    while firstInLine < line.count, lines < limit.lines || lines == 0 {
      let ref = line[firstInLine]
      if let request = requests[ref] {
        if lines > 0, result.bytes.count + request.line.count > limit.bytes { break }
        if request.mayBegin() {
          requests[ref]?.place = .unread(life, since: now)
          unread[life, default: []].append((ref, offset + result.bytes.count))
          result.bytes += request.line
          lines += 1
        } else {
          requests[ref] = nil
          if let caller = request.completion { result.refused.append(caller) }
        }
      }
      firstInLine += 1
    }
    if firstInLine == line.count || firstInLine > 4096 {
      line.removeFirst(firstInLine)
      firstInLine = 0
    }
    return result
  }

  /// Notes what a life has read; a line that it has begun to read counts as read. From now on it has the time for an answer.
  ///
  /// - Parameter consumed: how many bytes of lines it has read in all.
  mutating func read(by life: Life, upTo consumed: Int, now: ContinuousClock.Instant) {
    guard let lines = unread[life] else { return }
    let begun = lines.prefix { $0.offset < consumed }
    if !begun.isEmpty { lastProgress = now }
    for (ref, _) in begun where requests[ref] != nil { requests[ref]?.place = .inHand(life, since: now) }
    unread[life] = begun.count == lines.count ? nil : Array(lines[begun.count...])
  }

  /// Whether a line that the life has not read must not be begun any more, or is of no use to its caller.
  func mustTakeBack(from life: Life) -> Bool {
    unread[life]?.contains { ref, _ in requests[ref].map { $0.completion == nil || !$0.mayBegin() } ?? false } ?? false
  }

  /// Puts what a life has not read back in line, in its old order. To be called when it cannot read it any more.
  ///
  /// - Returns: where in its input the first of these lines began; nil if there was none.
  mutating func takeBack(from life: Life) -> Int? {
    guard let lines = unread.removeValue(forKey: life) else { return nil }
    for (ref, _) in lines.reversed() {
      guard let request = requests[ref] else { continue }
      if request.completion == nil {
        requests[ref] = nil
        continue
      }
      requests[ref]?.place = .waiting
      if firstInLine == 0 {
        line.insert(ref, at: 0)
      } else {
        firstInLine -= 1
        line[firstInLine] = ref
      }
    }
    return lines.first?.offset
  }

  /// Takes out the request that a life's answer belongs to.
  mutating func answered(_ ref: UInt64, by life: Life) -> Match {
    guard let request = requests[ref] else { return .none }
    switch request.place {
    // An answer may come before it was seen that the line is read.
    case .unread(life, _), .inHand(life, _):
      requests[ref] = nil
      return .open(request)
    case .late(life):
      requests[ref] = nil
      return .late
    default: return .none
    }
  }

  // MARK: Time

  /// Takes out what has waited for so long in which the program made no progress.
  mutating func takeOverdue(now: ContinuousClock.Instant, timeout: Duration) -> Overdue {
    var overdue = Overdue()
    for (ref, request) in requests {
      guard case .waiting = request.place else { continue }
      let mayBegin = request.mayBegin()
      let start = max(request.submitted, lastProgress ?? request.submitted)
      guard !mayBegin || start + timeout <= now else { continue }
      requests[ref] = nil
      guard let caller = request.completion else { continue }
      if mayBegin { overdue.waiting.append(caller) } else { overdue.refused.append(caller) }
    }
    return overdue
  }

  /// Finds what a life has kept for too long without an answer. It keeps the books on it, to know a late answer.
  mutating func takeLate(from life: Life, now: ContinuousClock.Instant, timeout: Duration) -> Late {
    var late = Late()
    for (ref, request) in requests {
      guard case .inHand(life, let since) = request.place, since + timeout <= now else { continue }
      requests[ref]?.place = .late(life)
      requests[ref]?.completion = nil
      late.count += 1
      if let caller = request.completion { late.callers.append(caller) }
    }
    if late.count > 0 { lastProgress = now }
    return late
  }

  /// Whether a life has left a line unread for too long.
  func isStuck(_ life: Life, now: ContinuousClock.Instant, timeout: Duration) -> Bool {
    unread[life]?.contains { ref, _ in
      guard case .unread(_, let since) = requests[ref]?.place else { return false }
      return since + timeout <= now
    } ?? false
  }

  /// How many answers a life owes; what is late is not waited for.
  func owed(by life: Life) -> Int {
    requests.values.count { if case .inHand(life, _) = $0.place { true } else { false } }
  }

  // MARK: The end

  /// Closes the books on one life of the program; what it has not read is next in line.
  ///
  /// - Parameter consumed: how many bytes of lines it has read.
  /// - Returns: who waits for an answer that will not come.
  mutating func ended(_ life: Life, consumed: Int, now: ContinuousClock.Instant) -> [Completion] {
    read(by: life, upTo: consumed, now: now)
    _ = takeBack(from: life)
    var lost: [Completion] = []
    for (ref, request) in requests {
      switch request.place {
      case .inHand(life, _), .late(life): requests[ref] = nil
      default: continue
      }
      if let caller = request.completion { lost.append(caller) }
    }
    return lost
  }

  /// Takes out everything that waits, for the end.
  mutating func takeWaiting() -> [Completion] {
    var callers: [Completion] = []
    for (ref, request) in requests {
      guard case .waiting = request.place else { continue }
      requests[ref] = nil
      if let caller = request.completion { callers.append(caller) }
    }
    line = []
    firstInLine = 0
    return callers
  }
}
