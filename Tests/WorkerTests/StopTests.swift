import MessageQueue
import Testing

@testable import Worker

/// The phases of a worker's end, without a worker.
@Suite struct StopTests {
  private let now = Instant.now

  @Test("A drain ends with giving back, and that with the end; each is news once")
  func drains() {
    var stop = Stop()
    #expect(stop.advance(to: .running, drain: .seconds(30), now: now) == [])
    #expect(stop.advance(to: .draining, drain: .seconds(30), now: now) == [.draining])
    #expect(stop.next(after: now) == now + .seconds(30))
    #expect(stop.advance(to: .draining, drain: .seconds(30), now: now + .seconds(29)) == [])
    #expect(stop.phase == .draining)
    let end = now + .seconds(30)
    #expect(stop.advance(to: .draining, drain: .seconds(30), now: end) == [.aborting])
    #expect(stop.gatherUntil == end + Stop.abortTime / 2 && !stop.isOver(end))
    #expect(stop.isOver(end + Stop.abortTime))
    #expect(stop.advance(to: .aborting, drain: .seconds(30), now: end + Stop.abortTime) == [])
    #expect(stop.next(after: end + Stop.abortTime) == nil)
  }

  @Test("One that is superseded drains, whatever it is told; a later one does not take the first one's place")
  func superseded() {
    var stop = Stop()
    let lives = ["w@b", "w@c"].compactMap(WorkerLife.init(id:))
    for life in lives { stop.superseded(by: life) }
    #expect(stop.successor == lives[0])
    #expect(stop.advance(to: .quiet, drain: .zero, now: now) == [.draining, .aborting])
  }

  @Test("A phase is never taken back")
  func forward() {
    var stop = Stop()
    #expect(stop.advance(to: .quiet, drain: .seconds(1), now: now) == [.quiet])
    #expect(stop.advance(to: .aborting, drain: .seconds(1), now: now) == [.aborting])
    #expect(stop.advance(to: .quiet, drain: .seconds(1), now: now) == [] && stop.phase == .aborting)
  }
}
