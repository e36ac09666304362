import Synchronization
import Testing

@testable import Gateways

@Suite struct OpenRequestsTests {
  private let start = ContinuousClock.now
  private let books = Books()

  /// Which requests' callers were told something, and which messages must not be begun.
  private final class Books: Sendable {
    let told = Mutex<[UInt64]>([])
    let forbidden = Mutex<Set<UInt64>>([])
  }

  private func submit(_ ref: UInt64, at time: Duration = .zero, to requests: inout OpenRequests) {
    requests.submit(
      ref,
      OpenRequests.Request(
        line: Array("line \(ref)\n".utf8),
        segments: 1,
        submitted: start + time,
        mayBegin: { [books] in !books.forbidden.withLock { $0.contains(ref) } },
        completion: { [books] _ in books.told.withLock { $0.append(ref) } }
      )
    )
  }

  /// The refs behind completions.
  private func refs(_ completions: [OpenRequests.Completion]) -> [UInt64] {
    for completion in completions { completion(.failure(CancellationError())) }
    return books.told.withLock { told in
      defer { told = [] }
      return told.sorted()
    }
  }

  private func handOver(
    _ requests: inout OpenRequests,
    to life: Int = 1,
    at offset: Int = 0,
    lines: Int = 100,
    bytes: Int = 1000
  ) -> String {
    let result = requests.handOver(to: life, at: offset, limit: (lines, bytes), now: start)
    #expect(refs(result.refused) == [])
    return String(decoding: result.bytes, as: UTF8.self)
  }

  private func isOpen(_ match: OpenRequests.Match) -> Bool { if case .open = match { true } else { false } }
  private func isLate(_ match: OpenRequests.Match) -> Bool { if case .late = match { true } else { false } }

  @Test("Lines are handed over in order, whole, at least one at a time, and no more than the limits")
  func order() {
    var requests = OpenRequests()
    for ref in 1...6 { submit(UInt64(ref), to: &requests) }
    #expect(handOver(&requests, lines: 1) == "line 1\n")
    #expect(handOver(&requests, bytes: 1) == "line 2\n")
    #expect(handOver(&requests, bytes: 20) == "line 3\nline 4\n")
    #expect(handOver(&requests) == "line 5\nline 6\n")
    #expect(handOver(&requests) == "")
  }

  @Test("Only a life that was given a message can answer it, and once")
  func answered() {
    var requests = OpenRequests()
    submit(1, to: &requests)
    #expect(!isOpen(requests.answered(1, by: 1)))
    _ = handOver(&requests, to: 1)
    #expect(!isOpen(requests.answered(1, by: 2)))
    #expect(isOpen(requests.answered(1, by: 1)))
    #expect(!isOpen(requests.answered(1, by: 1)))
    #expect(!isOpen(requests.answered(2, by: 1)))
  }

  @Test("At a life's end, what it has begun to read is lost, and the rest is next in line, in its old order")
  func ended() {
    var requests = OpenRequests()
    for ref in 1...5 { submit(UInt64(ref), to: &requests) }
    _ = handOver(&requests, lines: 4)
    // The first, and one byte of the second.
    #expect(refs(requests.ended(1, consumed: 8, now: start)) == [1, 2])
    #expect(handOver(&requests, to: 2, lines: 1) == "line 3\n")
    #expect(refs(requests.ended(2, consumed: 0, now: start)) == [])
    #expect(handOver(&requests, to: 3) == "line 3\nline 4\nline 5\n")
    #expect(refs(requests.ended(3, consumed: 21, now: start)) == [3, 4, 5])
    #expect(handOver(&requests, to: 4) == "")
  }

  @Test("A cancelled request is not handed over, or its answer is thrown away, or it is taken back for good")
  func cancelled() {
    var requests = OpenRequests()
    for ref in 1...3 { submit(UInt64(ref), to: &requests) }
    #expect(refs([requests.cancel(2).caller].compactMap { $0 }) == [2])
    #expect(requests.cancel(2).caller == nil)
    #expect(requests.cancel(9).caller == nil)
    #expect(handOver(&requests) == "line 1\nline 3\n")
    #expect(!requests.mustTakeBack(from: 1))
    #expect(refs([requests.cancel(1).caller, requests.cancel(3).caller].compactMap { $0 }) == [1, 3])
    #expect(requests.mustTakeBack(from: 1))
    guard case .open(let request) = requests.answered(1, by: 1) else {
      Issue.record("it is not open")
      return
    }
    #expect(request.completion == nil)
    #expect(requests.takeBack(from: 1) == 0)
    #expect(handOver(&requests, to: 2) == "")
  }

  @Test("What must not be begun is not handed over, and taken back where it has not been read")
  func refused() {
    var requests = OpenRequests()
    for ref in 1...4 { submit(UInt64(ref), to: &requests) }
    books.forbidden.withLock { $0 = [1, 3] }
    let first = requests.handOver(to: 1, at: 0, limit: (2, 1000), now: start)
    #expect(refs(first.refused) == [1, 3])
    #expect(String(decoding: first.bytes, as: UTF8.self) == "line 2\nline 4\n")
    // The second line has been read when the time of both is over.
    requests.read(by: 1, upTo: 7, now: start)
    books.forbidden.withLock { $0 = [2, 4] }
    #expect(requests.mustTakeBack(from: 1))
    #expect(requests.takeBack(from: 1) == 7)
    #expect(!requests.mustTakeBack(from: 1))
    let second = requests.handOver(to: 1, at: 7, limit: (1, 1000), now: start)
    #expect(refs(second.refused) == [4])
    #expect(isOpen(requests.answered(2, by: 1)))
  }

  @Test("What waits is given up once the program has made no progress for so long, or at once if it must not be begun")
  func overdue() {
    var requests = OpenRequests()
    for ref in 1...3 { submit(UInt64(ref), to: &requests) }
    _ = handOver(&requests, lines: 1)
    requests.read(by: 1, upTo: 1, now: start + .seconds(4))
    books.forbidden.withLock { $0 = [3] }
    var overdue = requests.takeOverdue(now: start + .milliseconds(13_999), timeout: .seconds(10))
    #expect(refs(overdue.refused) == [3])
    #expect(overdue.waiting.isEmpty)
    overdue = requests.takeOverdue(now: start + .seconds(14), timeout: .seconds(10))
    #expect(refs(overdue.waiting) == [2])
    #expect(overdue.refused.isEmpty)
  }

  @Test("What a life keeps too long is late, counted from when it was read; its answer is known as late, once")
  func late() {
    var requests = OpenRequests()
    for ref in 1...3 { submit(UInt64(ref), to: &requests) }
    _ = handOver(&requests)
    requests.read(by: 1, upTo: 14, now: start + .seconds(5))
    _ = requests.cancel(2)
    func late(_ seconds: Int) -> OpenRequests.Late {
      requests.takeLate(from: 1, now: start + .seconds(seconds), timeout: .seconds(10))
    }
    #expect(late(14).count == 0)
    #expect(requests.owed(by: 1) == 2)
    // The third line is still unread.
    #expect(requests.isStuck(1, now: start + .seconds(10), timeout: .seconds(10)))
    let found = late(15)
    #expect(found.count == 2)
    #expect(refs(found.callers) == [1])
    #expect(late(99).count == 0)
    #expect(requests.owed(by: 1) == 0)
    #expect(!isLate(requests.answered(1, by: 2)))
    #expect(isLate(requests.answered(1, by: 1)))
    #expect(!isLate(requests.answered(1, by: 1)))
    #expect(requests.takeBack(from: 1) == 14)
    #expect(!requests.isStuck(1, now: start + .seconds(99), timeout: .seconds(10)))
    #expect(refs(requests.ended(1, consumed: 14, now: start)) == [])
    #expect(handOver(&requests, to: 2) == "line 3\n")
  }

  @Test("In whatever order things happen, each caller is told once, and no message is read by two lives")
  func histories() async {
    for seed in 0..<20_000 {
      // Other tests wait for the same few threads.
      if seed % 20 == 0 { await Task.yield() }
      var history = RequestHistory(seed: UInt64(seed))
      for _ in 0..<60 { history.step() }
      history.end()
      #expect(history.faults == [], "seed \(seed)")
      if !history.faults.isEmpty { return }
    }
  }
}
