import MessageQueue
import RedisClient
import TestSupport
import Testing

@Suite("Claim")
struct ClaimTests {
  @Test("Claim", arguments: taking + sizes + due + standing + repeated + late + ringing + refused)
  func table(row: ScriptCase) async throws { try await row.check() }

  @Test(
    "One life listens at the list: of those whose lease holds, the one whose ends first; and one that is alone is told"
  )
  func listener() async throws {
    let test = TestQueue(on: try await .shared())
    func listens() async throws -> [Bool?] {
      var answers: [Bool?] = []
      for life in [WorkerLife.own, .other] {
        let request = ClaimRequest(life: life, firstNumber: 0, limit: 1)
        answers.append(try await test.queue.turn(settling: [], claiming: request).claimed?.isListener)
      }
      return answers
    }
    try await test.run("ZADD {sms}:workers now+1m w@5f now+2m v@0a")
    #expect(try await listens() == [true, false])
    try await test.run("ZADD {sms}:workers now+3m w@5f")
    #expect(try await listens() == [false, true])
    try await test.run("ZADD {sms}:workers now-1m v@0a")
    #expect(try await listens() == [true, false])
    try await test.run("ZADD {sms}:workers 0 v@0a")
    #expect(try await listens() == [true, nil])
    try await test.run("ZADD {sms}:workers now-1m w@5f now-1m v@0a")
    #expect(try await listens() == [false, false])
    func isAlone() async throws -> Bool? {
      let request = ClaimRequest(life: .own, firstNumber: 0, limit: 1)
      let claimed = try await test.queue.turn(settling: [], claiming: request).claimed
      return claimed.map { $0.isListener && $0.isAlone }
    }
    try await test.run("ZADD {sms}:workers now+1m w@5f")
    #expect(try await isAlone() == false)
    try await test.run("ZREM {sms}:workers v@0a")
    #expect(try await isAlone() == true)
  }

  private static func claim(
    _ limit: Int,
    from firstNumber: Int = 0,
    maxPayload: Int = 1_000,
    mostBytes: Int = 1_000_000,
    untriedFirst: Bool = false
  ) -> @Sendable (MessageQueue) async throws -> String {
    let request = ClaimRequest(
      life: .own,
      firstNumber: firstNumber,
      limit: limit,
      maxPayload: maxPayload,
      mostBytes: mostBytes,
      untriedFirst: untriedFirst
    )
    return { queue in
      let turn = try await queue.turn(settling: [], claiming: request)
      return turn.claimed.map { Self.shown($0) } ?? "not registered"
    }
  }

  /// `00=a 01=b, 3 wait, due in 5m, paused, v@0a expired`.
  private static func shown(_ answer: ClaimAnswer) -> String {
    var parts = answer.messages.isEmpty ? [] : [MessageQueueTests.shown(answer.messages)]
    parts += answer.tooLarge.map { "\($0.claimID.suffix(2)) has \($0.payloadSize)" }
    parts.append("\(answer.waiting) wait")
    if let due = answer.nextDue { parts.append("due in \((due.milliseconds + 59_999) / 60_000)m") }
    if answer.paused { parts.append("paused") }
    if let life = answer.expired { parts.append("\(life.id) expired") }
    return parts.joined(separator: ", ")
  }

  private static let registered = "ZADD {sms}:workers now+1m w@5f"

  static let taking: [ScriptCase] = [
    ScriptCase(
      "A claim moves the oldest messages into the worker's hand, and rings for what it leaves",
      before: [registered, "LPUSH sms a b c"],
      call: claim(2, from: 254),
      answer: "fe=a ff=b, 1 wait",
      after: [
        "sms: c", "{sms}:claimed:w@5f: 5f-00000000fe=a 5f-00000000ff=b", "{sms}:turns: w@5f=256", "{sms}:wake: 1",
        "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "A claim of the last messages does not ring",
      before: [registered, "LPUSH sms a b"],
      call: claim(5),
      answer: "00=a 01=b, 0 wait",
      after: [
        "{sms}:claimed:w@5f: 5f-0000000000=a 5f-0000000001=b", "{sms}:turns: w@5f=2", "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "A number may outgrow its ten digits, in a claim and in the next",
      before: [registered, "LPUSH sms a b c"],
      call: { queue in
        let largest = 0xff_ffff_ffff
        return try await claim(2, from: largest)(queue) + "; " + claim(1, from: largest + 2)(queue)
      },
      answer: "ff=a 00=b, 1 wait; 01=c, 0 wait",
      after: [
        "{sms}:claimed:w@5f: 5f-10000000000=b 5f-10000000001=c 5f-ffffffffff=a", "{sms}:turns: w@5f=time",
        "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase("An empty queue gives nothing", before: [registered], call: claim(5), answer: "0 wait"),
    ScriptCase(
      "A claim of none looks, and rings for others",
      before: [registered, "LPUSH sms a", "ZADD {sms}:later now-1m b"],
      call: claim(0),
      answer: "1 wait, due in 0m",
      after: ["sms: a", "{sms}:later: b@now-1m", "{sms}:wake: 1", "{sms}:workers: w@5f@now+1m"]
    ),
    ScriptCase(
      "A full Redis can be drained",
      before: [registered, "LPUSH sms a b c", "ZADD {sms}:later now-1m d"],
      isFull: true,
      call: claim(3),
      answer: "00=d 01=a 02=b, 1 wait",
      after: [
        "sms: c", "{sms}:claimed:w@5f: 5f-0000000000=d 5f-0000000001=a 5f-0000000002=b", "{sms}:turns: w@5f=3",
        "{sms}:wake: 1",
        "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "A full Redis can be rung",
      before: [registered, "LPUSH sms a"],
      isFull: true,
      call: claim(0),
      answer: "1 wait",
      after: ["sms: a", "{sms}:wake: 1", "{sms}:workers: w@5f@now+1m"]
    ),
  ]

  static let sizes: [ScriptCase] = [
    ScriptCase(
      "Messages are claimed as far as their bytes go",
      before: [registered, "LPUSH sms aa bb c dd"],
      call: claim(4, mostBytes: 5),
      answer: "00=aa 01=bb 02=c, 1 wait",
      after: [
        "sms: dd", "{sms}:claimed:w@5f: 5f-0000000000=aa 5f-0000000001=bb 5f-0000000002=c", "{sms}:turns: w@5f=3",
        "{sms}:wake: 1", "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "A message that has more bytes than that is claimed alone",
      before: [registered, "LPUSH sms aaaaaa b"],
      call: claim(4, mostBytes: 5),
      answer: "00=aaaaaa, 1 wait",
      after: [
        "sms: b", "{sms}:claimed:w@5f: 5f-0000000000=aaaaaa", "{sms}:turns: w@5f=1", "{sms}:wake: 1",
        "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "Of a payload that is larger than the worker takes, it is handed the size",
      before: [registered, "LPUSH sms a bbbbb cccc"],
      call: claim(4, maxPayload: 4),
      answer: "00=a 02=cccc, 01 has 5, 0 wait",
      after: [
        "{sms}:claimed:w@5f: 5f-0000000000=a 5f-0000000001=bbbbb 5f-0000000002=cccc", "{sms}:turns: w@5f=3",
        "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "A repeat hands out what the first call did, as far as its bytes go, and the size of what is too large",
      before: [
        registered, "HSET {sms}:claimed:w@5f 5f-0000000000 bbbbb 5f-0000000001 cccc 5f-0000000002 d",
        "HSET {sms}:turns w@5f 3",
      ],
      call: claim(4, maxPayload: 4, mostBytes: 9),
      answer: "01=cccc, 00 has 5, 0 wait"
    ),
    ScriptCase(
      "What is due is promoted as far as its bytes go",
      before: [registered, "LPUSH sms w", "ZADD {sms}:later now-1m cc now-2m bb now-3m aa"],
      call: claim(5, mostBytes: 4),
      answer: "00=aa 01=bb, 1 wait, due in 0m",
      after: [
        "sms: w", "{sms}:claimed:w@5f: 5f-0000000000=aa 5f-0000000001=bb", "{sms}:later: cc@now-1m",
        "{sms}:turns: w@5f=2", "{sms}:wake: 1", "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "A full Redis can be drained of what is too large",
      before: [registered, "LPUSH sms bbbbb"],
      isFull: true,
      call: claim(1, maxPayload: 4),
      answer: "00 has 5, 0 wait",
      after: ["{sms}:claimed:w@5f: 5f-0000000000=bbbbb", "{sms}:turns: w@5f=1", "{sms}:workers: w@5f@now+1m"]
    ),
  ]

  @Test("The time of the first claim is noted, survives a crash and a repeat, and stays what it was")
  func claimTime() async throws {
    let test = TestQueue(on: try await .shared())
    _ = try await test.queue.join(.own, lease: .seconds(60))
    try await test.run("LPUSH sms first")
    try await test.run(#"LPUSH sms {"to":1}"#)
    let known = Element(
      history: MessageHistory(id: "x", failures: 1, claimedAt: 1_800_000_000_000),
      payload: bytes("m")
    )
    var push = RedisCommand("LPUSH", test.name.description)
    push.append(known.sealed)
    _ = try await test.redis.run(push)
    func claim(notesTime: Bool = true) async throws -> ClaimAnswer {
      let request = ClaimRequest(life: .own, firstNumber: 0, limit: 5, notesTime: notesTime)
      return try #require(try await test.queue.turn(settling: [], claiming: request).claimed)
    }
    let claimed = try await claim()
    // What begins as an envelope does is left as it is: it is one, nearly always.
    #expect(claimed.messages.map(\.history.claimedAt) == [claimed.now, claimed.now, 1_800_000_000_000])
    #expect(claimed.messages.map(\.payload) == [bytes("first"), bytes(#"{"to":1}"#), bytes("m")])
    let repeated = try await claim(notesTime: false)
    #expect(repeated.messages.map(\.history.claimedAt) == [claimed.now, claimed.now, 1_800_000_000_000])
    #expect(repeated.messages.map(\.payload) == claimed.messages.map(\.payload))
    #expect(repeated.messages.map(\.assignedID) == claimed.messages.map(\.assignedID))

    let fenced = try #require(try await test.queue.fence(.own, isGone: true))
    let found = fenced.claims.sorted { $0.claimID < $1.claimID }
    #expect(found.map(\.history.claimedAt) == [claimed.now, claimed.now, 1_800_000_000_000])
    let back = found.map { Settlement(claimID: $0.claimID, .back($0.element(crashes: 1))) }
    #expect(try await test.queue.settle(back, of: .fenced(.own)) == 3)
    let waiting = try await test.queue.peek(10)
    #expect(waiting.map(\.payload) == claimed.messages.map(\.payload))
    #expect(waiting.map(\.history.claimedAt) == [claimed.now, claimed.now, 1_800_000_000_000])
  }

  @Test("A payload that is too large keeps its history, which is no part of its size")
  func tooLargeAgain() async throws {
    let test = TestQueue(on: try await .shared())
    _ = try await test.queue.join(.own, lease: .seconds(60))
    let history = MessageHistory(id: "x", failures: 2, crashes: 1)
    for size in [100, 101] {
      var push = RedisCommand("LPUSH", test.name.description)
      push.append(Element(history: history, payload: [UInt8](repeating: 97, count: size)).sealed)
      _ = try await test.redis.run(push)
    }
    // A line that looks like a header, and is none, is a part of it.
    try await test.run("LPUSH sms smsq1{" + String(repeating: "a", count: 200))
    var push = RedisCommand("LPUSH", test.name.description)
    push.append(bytes("smsq1 {oops\n") + [UInt8](repeating: 97, count: 200))
    _ = try await test.redis.run(push)
    let request = ClaimRequest(life: .own, firstNumber: 0, limit: 5, maxPayload: 100)
    let claimed = try #require(try await test.queue.turn(settling: [], claiming: request).claimed)
    #expect(claimed.messages.map(\.payload.count) == [100] && claimed.messages.first?.history == history)
    #expect(claimed.tooLarge.map(\.payloadSize) == [101, 206, 212])
    #expect(claimed.tooLarge.map(\.history) == [history, .init(), .init()])
    #expect(claimed.nextNumber == 4)
    let dead = claimed.tooLarge.map { Settlement(claimID: $0.claimID, .dead($0.element(reason: "why"))) }
    #expect(try await test.queue.settle(dead, of: .own(.own)) == 3)
    var pages = DeadLetterPages(of: test.queue)
    let letters = try await pages.next().map(\.element)
    #expect(Set(letters.map(\.payload.count)) == [101, 206, 212])
    #expect(letters.allSatisfy { $0.reason == "why" })
    #expect(InvariantCheck(try await test.dump()).doubles == [])
  }

  @Test("Messages of 10 MB are claimed one at a time, and none of them is handed out")
  func huge() async throws {
    let test = TestQueue(on: try await RedisServer())
    _ = try await test.queue.join(.own, lease: .seconds(3600))
    let fill = """
      local large = string.rep(string.rep('x', 1024), 10240)
      for n = 1, 8 do redis.call('LPUSH', KEYS[1], 'first' .. n, n .. large) end
      """
    _ = try await test.redis.run(RedisCommand("EVAL", fill, "1", test.name.description))
    var (next, sizes, small) = (0, [Int](), 0)
    for _ in 0..<16 {
      let request = ClaimRequest(life: .own, firstNumber: next, limit: 500)
      let claimed = try #require(try await test.queue.turn(settling: [], claiming: request).claimed)
      #expect(claimed.tooLarge.count <= 1 && claimed.messages.count <= 1)
      #expect(claimed.isCutShort == (claimed.waiting > 0))
      sizes += claimed.tooLarge.map(\.payloadSize)
      small += claimed.messages.count
      next = claimed.nextNumber
      let dead = claimed.tooLarge.map { Settlement(claimID: $0.claimID, .dead($0.element(reason: "why"))) }
      let settled = try await test.queue.settle(dead, of: .own(.own))
      #expect(settled == dead.count)
    }
    #expect(sizes.count == 8 && sizes.allSatisfy { $0 > 10_485_760 } && small == 8)
    let snapshot = try await test.queue.inspect()
    #expect(snapshot.dead == 8 && snapshot.claimed == 8 && snapshot.waiting == 0)
    // Read a letter at a time.
    var pages = DeadLetterPages(of: test.queue)
    for _ in 0..<5 { #expect(try await pages.next().count == 1) }
  }

  static let due: [ScriptCase] = [
    ScriptCase(
      "What is due goes before what waits, the earliest first",
      before: [registered, "LPUSH sms w", "ZADD {sms}:later now-1m b now-3m a now+5m c"],
      call: claim(5),
      answer: "00=a 01=b 02=w, 0 wait, due in 5m",
      after: [
        "{sms}:claimed:w@5f: 5f-0000000000=a 5f-0000000001=b 5f-0000000002=w", "{sms}:later: c@now+5m",
        "{sms}:turns: w@5f=3", "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "No more is promoted than can be claimed",
      before: [registered, "LPUSH sms w", "ZADD {sms}:later now-1m c now-2m b now-3m a"],
      call: claim(2),
      answer: "00=a 01=b, 1 wait, due in 0m",
      after: [
        "sms: w", "{sms}:claimed:w@5f: 5f-0000000000=a 5f-0000000001=b", "{sms}:later: c@now-1m", "{sms}:turns: w@5f=2",
        "{sms}:wake: 1",
        "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "What was tried already waits for what was not, where that is asked for",
      before: [registered, "LPUSH sms w", "ZADD {sms}:later now-1m a"],
      call: claim(2, untriedFirst: true),
      answer: "00=w, 0 wait, due in 0m",
      after: [
        "{sms}:claimed:w@5f: 5f-0000000000=w", "{sms}:later: a@now-1m", "{sms}:turns: w@5f=1",
        "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "What is not due stays",
      before: [registered, "ZADD {sms}:later now+1m b now+3m a"],
      call: claim(2),
      answer: "0 wait, due in 1m"
    ),
  ]

  static let standing: [ScriptCase] = [
    ScriptCase(
      "A paused queue gives nothing, promotes nothing and does not ring",
      before: [registered, "LPUSH sms a", "ZADD {sms}:later now-1m b", "SET {sms}:paused 1"],
      call: claim(2),
      answer: "1 wait, due in 0m, paused"
    ),
    ScriptCase(
      "A life that is not registered gets nothing",
      before: ["LPUSH sms a", "ZADD {sms}:workers now+1m v@0a"],
      call: claim(2),
      answer: "not registered"
    ),
    ScriptCase(
      "A fenced life gets nothing",
      before: ["LPUSH sms a", "ZADD {sms}:workers 0 w@5f"],
      call: claim(2),
      answer: "not registered"
    ),
    ScriptCase(
      "A life whose lease has ended gets nothing, and rings for others",
      before: ["LPUSH sms a", "ZADD {sms}:later now-1m b", "ZADD {sms}:workers now-1m w@5f"],
      call: claim(2),
      answer: "1 wait, due in 0m",
      after: ["sms: a", "{sms}:later: b@now-1m", "{sms}:wake: 1", "{sms}:workers: w@5f@now-1m"]
    ),
    ScriptCase(
      "Another life whose lease has ended is reported",
      before: [registered, "ZADD {sms}:workers now-1m v@0a now+1m u@0b"],
      call: claim(2),
      answer: "0 wait, v@0a expired"
    ),
    ScriptCase(
      "A fenced life that nobody finished recovering is reported",
      before: ["ZADD {sms}:workers now-1m w@5f 0 v@0a"],
      call: claim(2),
      answer: "0 wait, v@0a expired"
    ),
  ]

  static let repeated: [ScriptCase] = [
    ScriptCase(
      "A repeat returns what the first call claimed, and no more",
      before: [
        registered, "LPUSH sms c", "HSET {sms}:claimed:w@5f 5f-0000000007 a 5f-0000000008 b", "HSET {sms}:turns w@5f 9",
      ],
      call: claim(3, from: 7),
      answer: "07=a 08=b, 1 wait",
      after: [
        "sms: c", "{sms}:claimed:w@5f: 5f-0000000007=a 5f-0000000008=b", "{sms}:turns: w@5f=9", "{sms}:wake: 1",
        "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "A repeat of a call that never arrived claims",
      before: [
        registered, "LPUSH sms b", "HSET {sms}:claimed:w@5f 5f-0000000006 a", "HSET {sms}:turns w@5f 7",
      ],
      call: claim(3, from: 7),
      answer: "07=b, 0 wait",
      after: [
        "{sms}:claimed:w@5f: 5f-0000000006=a 5f-0000000007=b", "{sms}:turns: w@5f=8", "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "A repeat gets its answer also when the queue was paused and the lease ended in between",
      before: [
        "SET {sms}:paused 1", "ZADD {sms}:workers now-1m w@5f", "HSET {sms}:claimed:w@5f 5f-0000000000 a",
        "HSET {sms}:turns w@5f 1",
      ],
      call: claim(3),
      answer: "00=a, 0 wait, paused"
    ),
    ScriptCase(
      "A repeat by a fenced life gets nothing",
      before: ["ZADD {sms}:workers 0 w@5f", "HSET {sms}:claimed:w@5f 5f-0000000000 a"],
      call: claim(3),
      answer: "not registered"
    ),
  ]

  static let late: [ScriptCase] = [
    ScriptCase(
      "A call that arrives after its repeat was answered, and what that claimed was settled, claims nothing of its own",
      before: [registered, "LPUSH sms c d", "HSET {sms}:claimed:w@5f 5f-0000000001 b", "HSET {sms}:turns w@5f 2"],
      call: claim(1),
      answer: "01=b, 2 wait",
      after: [
        "sms: d c", "{sms}:claimed:w@5f: 5f-0000000001=b", "{sms}:turns: w@5f=2", "{sms}:wake: 1",
        "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "What a late call claimed is there for the worker's next call, as far as it has room",
      before: [
        registered, "LPUSH sms d", "HSET {sms}:claimed:w@5f 5f-0000000000 a 5f-0000000001 b 5f-0000000002 c",
        "HSET {sms}:turns w@5f 3",
      ],
      call: claim(2),
      answer: "00=a 01=b, 1 wait",
      after: [
        "sms: d", "{sms}:claimed:w@5f: 5f-0000000000=a 5f-0000000001=b 5f-0000000002=c", "{sms}:turns: w@5f=3",
        "{sms}:wake: 1", "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "Numbers under which nothing stands any more are passed over",
      before: [registered, "LPUSH sms a", "HSET {sms}:turns w@5f 3"],
      call: claim(2),
      answer: "03=a, 0 wait",
      after: ["{sms}:claimed:w@5f: 5f-0000000003=a", "{sms}:turns: w@5f=4", "{sms}:workers: w@5f@now+1m"]
    ),
  ]

  static let ringing: [ScriptCase] = [
    ScriptCase(
      "A claim that leaves no messages leaves no tokens either, however many there were",
      before: [registered, "LPUSH sms a", "LPUSH {sms}:wake 1 1 1 1 1 1 1 1 1 1"],
      call: claim(1),
      answer: "00=a, 0 wait",
      after: ["{sms}:claimed:w@5f: 5f-0000000000=a", "{sms}:turns: w@5f=1", "{sms}:workers: w@5f@now+1m"]
    ),
    ScriptCase(
      "A claim of no messages leaves a token for those who may have what waits",
      before: [registered, "LPUSH sms a", "LPUSH {sms}:wake 1"],
      call: claim(0),
      answer: "1 wait",
      after: ["sms: a", "{sms}:wake: 1 1", "{sms}:workers: w@5f@now+1m"]
    ),
    ScriptCase(
      "Eight wake tokens are enough",
      before: [registered, "LPUSH sms a b", "LPUSH {sms}:wake 1 1 1 1 1 1 1 1"],
      call: claim(1),
      answer: "00=a, 1 wait",
      after: [
        "sms: b", "{sms}:claimed:w@5f: 5f-0000000000=a", "{sms}:turns: w@5f=1", "{sms}:wake: 1 1 1 1 1 1 1 1",
        "{sms}:workers: w@5f@now+1m",
      ]
    ),
  ]

  static let refused: [ScriptCase] =
    ["sms", "{sms}:wake", "{sms}:later", "{sms}:claimed:w@5f"].map { key in
      ScriptCase(
        "A wrong type of \(key) is found before anything is changed",
        before: [registered, key == "sms" ? "ZADD {sms}:later now-1m a" : "LPUSH sms a", "SET \(key) x"],
        call: claim(2),
        answer: "WRONGTYPE"
      )
    }
    + [
      ScriptCase(
        "A wrong type of {sms}:workers is found before anything is changed",
        before: ["LPUSH sms a", "SET {sms}:workers x"],
        call: claim(2),
        answer: "WRONGTYPE"
      )
    ]
}
