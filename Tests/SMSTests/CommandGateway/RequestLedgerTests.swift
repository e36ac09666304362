import Synchronization
import Testing

@testable import SMS

@Suite struct RequestLedgerTests {
  private let start = ContinuousClock.now
  private let told = Told()

  /// Which requests' callers were told something.
  private final class Told: Sendable {
    let refs = Mutex<[UInt64]>([])
  }

  private func submit(_ ref: UInt64, at time: Duration = .zero, to ledger: inout RequestLedger) {
    ledger.submit(
      ref,
      RequestLedger.Request(line: Array("line \(ref)\n".utf8), segments: 1, submitted: start + time) { [told] _ in
        told.refs.withLock { $0.append(ref) }
      }
    )
  }

  /// The refs behind completions.
  private func refs(_ completions: [RequestLedger.Completion]) -> [UInt64] {
    for completion in completions { completion(.failure(CancellationError())) }
    return told.refs.withLock { refs in
      defer { refs = [] }
      return refs.sorted()
    }
  }

  private func handOver(_ ledger: inout RequestLedger, limit: Int = 1000) -> String {
    String(decoding: ledger.handOver(limit: limit, now: start), as: UTF8.self)
  }

  @Test("Lines are handed over in order, whole, and at least one at a time")
  func order() {
    var ledger = RequestLedger()
    for ref in 1...4 { submit(UInt64(ref), to: &ledger) }
    #expect(handOver(&ledger, limit: 1) == "line 1\n")
    #expect(handOver(&ledger, limit: 8) == "line 2\nline 3\n")
    #expect(handOver(&ledger) == "line 4\n")
    #expect(handOver(&ledger) == "")
  }

  @Test("Only what was handed over can be answered, and once")
  func answered() {
    var ledger = RequestLedger()
    submit(1, to: &ledger)
    #expect(ledger.answered(1) == nil)
    _ = handOver(&ledger)
    #expect(ledger.answered(1) != nil)
    #expect(ledger.answered(1) == nil)
    #expect(ledger.answered(2) == nil)
  }

  @Test("At the program's end, what it has begun to read is lost, and the rest is next in line, in its old order")
  func programEnded() {
    var ledger = RequestLedger()
    for ref in 1...5 { submit(UInt64(ref), to: &ledger) }
    _ = handOver(&ledger, limit: 28)
    // The first, and one byte of the second.
    #expect(refs(ledger.programEnded(consumed: 8)) == [1, 2])
    #expect(handOver(&ledger, limit: 1) == "line 3\n")
    // Offsets begin anew with each life.
    #expect(refs(ledger.programEnded(consumed: 0)) == [])
    #expect(handOver(&ledger) == "line 3\nline 4\nline 5\n")
    #expect(refs(ledger.programEnded(consumed: 21)) == [3, 4, 5])
    #expect(handOver(&ledger) == "")
  }

  @Test("A cancelled request is not handed over, or its answer is thrown away, or it is not put back")
  func cancelled() {
    var ledger = RequestLedger()
    for ref in 1...3 { submit(UInt64(ref), to: &ledger) }
    #expect(refs([ledger.cancel(2)].compactMap { $0 }) == [2])
    #expect(ledger.cancel(2) == nil)
    #expect(ledger.cancel(9) == nil)
    #expect(handOver(&ledger) == "line 1\nline 3\n")
    #expect(refs([ledger.cancel(1), ledger.cancel(3)].compactMap { $0 }) == [1, 3])
    #expect(ledger.answered(1).map { $0.completion == nil } == true)
    #expect(refs(ledger.programEnded(consumed: 0)) == [])
    #expect(handOver(&ledger) == "")
  }

  @Test("What waits too long is given up, and what is kept too long means that the program hangs, cancelled or not")
  func overdue() {
    var ledger = RequestLedger()
    submit(1, to: &ledger)
    _ = handOver(&ledger)
    submit(2, at: .seconds(1), to: &ledger)
    func hasHung(_ time: Duration) -> Bool { ledger.hasHung(now: start + time, timeout: .seconds(10)) }
    #expect(!hasHung(.milliseconds(9_999)))
    #expect(hasHung(.seconds(10)))
    #expect(refs(ledger.takeOverdue(now: start + .milliseconds(10_999), timeout: .seconds(10))) == [])
    #expect(refs(ledger.takeOverdue(now: start + .seconds(11), timeout: .seconds(10))) == [2])
    _ = ledger.cancel(1)
    #expect(hasHung(.seconds(10)))
    #expect(ledger.answered(1) != nil)
    #expect(!hasHung(.seconds(10)))
  }

  @Test("A program that reads no more owes answers to what it has read")
  func owed() {
    var ledger = RequestLedger()
    for ref in 1...2 { submit(UInt64(ref), to: &ledger) }
    _ = handOver(&ledger)
    #expect(!ledger.isOwed(consumed: 0))
    #expect(ledger.isOwed(consumed: 7))
    _ = ledger.answered(1)
    #expect(!ledger.isOwed(consumed: 7))
    #expect(ledger.isOwed(consumed: 8))
  }

  @Test("Every request ends once, whatever comes in what order")
  func randomWalk() {
    var random = SeededGenerator(seed: 7)
    for _ in 0..<200 {
      var ledger = RequestLedger()
      var ended: [UInt64] = []
      var next: UInt64 = 1
      var given = 0
      for _ in 0..<100 {
        let ref = UInt64.random(in: 1...next, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0, 1:
          submit(next, to: &ledger)
          next += 1
        case 2: given += handOver(&ledger, limit: 20).utf8.count
        case 3: ended += refs([ledger.cancel(ref)].compactMap { $0 })
        case 4: ended += refs([ledger.answered(ref)?.completion].compactMap { $0 })
        default:
          ended += refs(ledger.programEnded(consumed: Int.random(in: 0...given, using: &random)))
          given = 0
        }
      }
      ended += refs(ledger.programEnded(consumed: given))
      ended += refs(ledger.takeWaiting())
      #expect(ended.sorted() == Array(1..<next))
    }
  }
}
