import MessageQueue
import Testing

@Suite("QueueName")
struct QueueNameTests {
  @Test(
    "Letters, digits, _, -, . and : make a name",
    arguments: ["sms", "a", "SMS-otp_2.eu:prod", ":", String(repeating: "x", count: 64)]
  )
  func valid(name: String) throws {
    #expect(try #require(QueueName(name)).description == name)
  }

  @Test(
    "All else is refused",
    arguments: [
      "", " ", "a b", "a\n", "{sms}", "sms}", "a*", "ä", "短信", "a/b", "a\0", String(repeating: "x", count: 65),
    ]
  )
  func invalid(name: String) {
    #expect(QueueName(name) == nil)
  }

  @Test("All keys of a queue are in the slot of its list, and no two are the same")
  func keys() throws {
    let keys = QueueKeys(try #require(QueueName("a:b")))
    let life = WorkerLife.own
    #expect(keys.list == "a:b")
    #expect(keys.claimed(life) == "{a:b}:claimed:w@5f")
    #expect(keys.seen("}x{") == "{a:b}:seen:}x{")
    let others = [
      keys.wake, keys.later, keys.dead, keys.stats, keys.paused, keys.workers, keys.claimed(life), keys.seen("1"),
    ]
    #expect(others.allSatisfy { $0.hasPrefix("{a:b}:") })
    #expect(Set(others).count == others.count)
  }
}
