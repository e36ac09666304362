import MessageQueue
import Testing

@Suite("WorkerLife")
struct WorkerLifeTests {
  @Test("Each life is new, and is read back from its id")
  func lives() throws {
    let lives = (0..<1000).map { _ in WorkerLife(name: "host-1") }
    #expect(Set(lives).count == lives.count)
    for life in lives {
      #expect(life.epoch.wholeMatch(of: /[0-9a-f]{16}/) != nil)
      #expect(life.id == "host-1@\(life.epoch)")
      #expect(WorkerLife(id: life.id) == life)
      #expect(life.id.hasPrefix(life.namePrefix))
    }
  }

  @Test("An id may name the process, and names the worker, whatever else is in it; without an @ it is none")
  func ids() throws {
    #expect(WorkerLife(id: "w") == nil)
    #expect(WorkerLife(id: "") == nil)
    let life = try #require(WorkerLife(id: "a@b@5f"))
    #expect((life.name, life.process, life.epoch) == ("a", "b", "5f"))
    let strange = try #require(WorkerLife(id: "a@b@c@5f"))
    #expect((strange.name, strange.process, strange.epoch) == ("a", "b@c", "5f"))
    let own = WorkerLife(name: "w", process: "1a.2.3")
    #expect(own.id == "w@1a.2.3@\(own.epoch)" && own.id.hasPrefix(own.namePrefix))
    #expect(WorkerLife(id: own.id) == own)
  }

  @Test("Claim ids sort as text in the order of the claims")
  func order() {
    let numbers = [0, 1, 9, 10, 15, 16, 255, 256, 0xFFFF, 0x1_0000, 0xFFFF_FFFF, 0xFF_FFFF_FFFF]
    let ids = numbers.map { WorkerLife.own.claimID($0) }
    #expect(ids == ids.sorted())
    #expect(ids[10] == "5f-00ffffffff")
    let large = [1 << 40, 1 << 59, Int.max]
    #expect((numbers + large).allSatisfy { WorkerLife.own.number(ofClaim: WorkerLife.own.claimID($0)) == $0 })
    for other in [
      "5f-", "5f-0", "5f-000000000g", "5f-00000000000000000000", "0a-0000000000", "5f-ffffffffffffffff", "x",
    ] {
      #expect(WorkerLife.own.number(ofClaim: other) == nil)
    }
  }
}
