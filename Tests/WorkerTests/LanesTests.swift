import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Worker

@Suite struct LanesTests {
  /// What jobs saw.
  private final class Record: Sendable {
    let state = Mutex((started: [Int](), running: 0, most: 0, cancelled: 0))

    func begin(_ number: Int) {
      state.withLock { state in
        state.started.append(number)
        state.running += 1
        state.most = max(state.most, state.running)
      }
    }

    func end() { state.withLock { $0.running -= 1 } }

    var count: Int { state.withLock { $0.started.count } }
  }

  @Test("Jobs that wait are all under way at once")
  func waiting() async throws {
    let (record, gate) = (Record(), Gate())
    let lanes = Lanes<Int>(lowWater: 0, runsLow: {}) { number in
      record.begin(number)
      _ = await gate.pass()
      record.end()
    }
    lanes.add(Array(1...300))
    lanes.add(Array(301...600))
    try await eventually("all have begun") { record.count == 600 }
    #expect(record.state.withLock(\.most) == 600)
    gate.open()
    try await eventually("all have ended") { record.state.withLock(\.running) == 0 }
    #expect(record.state.withLock { $0.started.sorted() } == Array(1...600))
  }

  @Test("Jobs that wait for nothing are each done once, whoever adds them")
  func immediate() async throws {
    let record = Record()
    let lanes = Lanes<Int>(lowWater: 0, runsLow: {}) { number in
      record.begin(number)
      record.end()
    }
    await withTaskGroup { group in
      for part in 0..<10 {
        group.addTask {
          for start in stride(from: part * 1000, to: (part + 1) * 1000, by: 50) {
            lanes.add(Array(start..<(start + 50)))
          }
        }
      }
    }
    try await eventually("all are done") { record.count == 10_000 }
    #expect(record.state.withLock { $0.started.sorted() } == Array(0..<10_000))
  }

  @Test("Cancelling reaches the jobs that are under way and those that come later")
  func cancel() async throws {
    let record = Record()
    let lanes = Lanes<Int>(lowWater: 0, runsLow: {}) { number in
      record.begin(number)
      if await !Gate().pass() { record.state.withLock { $0.cancelled += 1 } }
    }
    lanes.add([1, 2, 3])
    try await eventually("all have begun") { record.count == 3 }
    lanes.cancel()
    lanes.add([4])
    try await eventually("all are cut short") { record.state.withLock(\.cancelled) == 4 }
  }

  @Test("It has plenty while jobs keep the cores busy, and says once when few are left to be begun")
  func low() async throws {
    let record = Record()
    let low = Atomic(0)
    let mayEnd = Atomic(false)
    let lanes = Lanes<Int>(lowWater: 10, runsLow: { low.add(1, ordering: .relaxed) }) { number in
      // Without giving its thread away: no more are begun than there are cores.
      while !mayEnd.load(ordering: .relaxed) { usleep(100) }
      record.begin(number)
    }
    lanes.add(Array(1...300))
    #expect(lanes.hasPlenty)
    #expect(low.load(ordering: .relaxed) == 0)
    mayEnd.store(true, ordering: .relaxed)
    try await eventually("all are done") { record.count == 300 }
    #expect(!lanes.hasPlenty)
    #expect(low.load(ordering: .relaxed) == 1)
  }
}
