import MessageQueue
import RedisClient
import TestSupport
import Testing

@Suite("Fence")
struct FenceTests {
  @Test("Fence", arguments: cases)
  func table(row: ScriptCase) async throws { try await row.check() }

  private static func fence(
    isGone: Bool = false,
    limit: Int = 500,
    mostBytes: Int = 1_000
  ) -> @Sendable (MessageQueue) async throws -> String {
    { queue in
      let fenced = try await queue.fence(.own, isGone: isGone, limit: limit, mostBytes: mostBytes)
      return fenced.map { $0.remaining == 0 ? "struck off" : "\(shown($0.claims)) of \($0.remaining)" }
        ?? "nothing to do"
    }
  }

  private static func holding(until: String) -> [String] {
    [
      "ZADD {sms}:workers \(until) w@5f now+1m v@0a",
      "HSET {sms}:claimed:w@5f 5f-0000000001 b 5f-000000000a c 5f-0000000000 a",
    ]
  }

  private static let fenced = [
    "{sms}:claimed:w@5f: 5f-0000000000=a 5f-0000000001=b 5f-000000000a=c", "{sms}:workers: w@5f@0 v@0a@now+1m",
  ]

  static let cases: [ScriptCase] = [
    ScriptCase(
      "A life whose lease holds is left alone",
      before: holding(until: "now+1m"),
      call: fence(),
      answer: "nothing to do"
    ),
    ScriptCase(
      "A life that is not there is left alone",
      before: ["ZADD {sms}:workers now+1m v@0a", "HSET {sms}:claimed:w@5f 5f-0000000000 a"],
      call: fence(isGone: true),
      answer: "nothing to do"
    ),
    ScriptCase(
      "A life whose lease has ended is fenced, and its claims are handed out newest first",
      before: holding(until: "now-1m"),
      call: fence(),
      answer: "0a=c 01=b 00=a of 3",
      after: fenced
    ),
    ScriptCase(
      "A life whose process is gone is fenced while its lease holds",
      before: holding(until: "now+1m"),
      call: fence(isGone: true),
      answer: "0a=c 01=b 00=a of 3",
      after: fenced
    ),
    ScriptCase(
      "Claims are handed out in bounded steps",
      before: holding(until: "now-1m"),
      call: fence(limit: 2),
      answer: "0a=c 01=b of 3",
      after: fenced
    ),
    ScriptCase(
      "Claims are handed out as far as their bytes go",
      before: holding(until: "now-1m") + ["HSET {sms}:claimed:w@5f 5f-000000000b dd"],
      call: fence(mostBytes: 3),
      answer: "0b=dd 0a=c of 4",
      after: [
        "{sms}:claimed:w@5f: 5f-0000000000=a 5f-0000000001=b 5f-000000000a=c 5f-000000000b=dd",
        "{sms}:workers: w@5f@0 v@0a@now+1m",
      ]
    ),
    ScriptCase(
      "A claim that has more bytes than that is handed out alone",
      before: holding(until: "now-1m") + ["HSET {sms}:claimed:w@5f 5f-000000000b dddd"],
      call: fence(mostBytes: 3),
      answer: "0b=dddd of 4",
      after: [
        "{sms}:claimed:w@5f: 5f-0000000000=a 5f-0000000001=b 5f-000000000a=c 5f-000000000b=dddd",
        "{sms}:workers: w@5f@0 v@0a@now+1m",
      ]
    ),
    ScriptCase(
      "Claims are found from the number of the next one down, and what is passed is not passed again",
      before: holding(until: "now-1m") + ["HSET {sms}:turns w@5f 13"],
      call: fence(limit: 2),
      answer: "0a=c of 3",
      after: [fenced[0], "{sms}:turns: w@5f=11", fenced[1]]
    ),
    ScriptCase(
      "A long way without claims is gone in bounded steps",
      before: holding(until: "now-1m") + ["HSET {sms}:turns w@5f 20"],
      call: fence(limit: 2),
      answer: " of 3",
      after: [fenced[0], "{sms}:turns: w@5f=12", fenced[1]]
    ),
    ScriptCase(
      "Claims that stand under no numbers of the life are handed out all the same",
      before: [
        "ZADD {sms}:workers now-1m w@5f", "HSET {sms}:claimed:w@5f x c 5f-0000000001 b y a", "HSET {sms}:turns w@5f 0",
      ],
      call: fence(limit: 2),
      answer: "y=a x=c of 3",
      after: ["{sms}:claimed:w@5f: 5f-0000000001=b x=c y=a", "{sms}:turns: w@5f=0", "{sms}:workers: w@5f@0"]
    ),
    ScriptCase(
      "A fenced life stays fenced until its claims are settled, and they are handed out again",
      before: holding(until: "0"),
      call: fence(),
      answer: "0a=c 01=b 00=a of 3"
    ),
    ScriptCase(
      "A fenced life without claims is struck off",
      before: ["ZADD {sms}:workers 0 w@5f now+1m v@0a"],
      call: fence(),
      answer: "struck off",
      after: ["{sms}:workers: v@0a@now+1m"]
    ),
    ScriptCase(
      "A life that is struck off takes its health and its turns with it",
      before: [
        "ZADD {sms}:workers 0 w@5f now+1m v@0a", "HSET {sms}:health w@5f 1 v@0a 2", "HSET {sms}:turns w@5f 1 v@0a 2",
      ],
      call: fence(),
      answer: "struck off",
      after: ["{sms}:health: v@0a=2", "{sms}:turns: v@0a=2", "{sms}:workers: v@0a@now+1m"]
    ),
    ScriptCase(
      "A life whose lease has ended, and that holds nothing, is struck off at once",
      before: ["ZADD {sms}:workers now-1m w@5f"],
      call: fence(),
      answer: "struck off",
      after: []
    ),
    ScriptCase(
      "A life can be fenced while Redis is full",
      before: holding(until: "now-1m"),
      isFull: true,
      call: fence(),
      answer: "0a=c 01=b 00=a of 3",
      after: fenced
    ),
    ScriptCase(
      "A wrong type of the claimed hash leaves the life as it was",
      before: ["ZADD {sms}:workers now-1m w@5f", "SET {sms}:claimed:w@5f x"],
      call: fence(),
      answer: "WRONGTYPE"
    ),
    ScriptCase(
      "A wrong type of {sms}:turns leaves the life as it was",
      before: holding(until: "now-1m") + ["SET {sms}:turns x"],
      call: fence(),
      answer: "WRONGTYPE"
    ),
  ]

  @Test("What a crashed worker held goes back to the front in its old order, in as many steps as it takes")
  func recovery() async throws {
    let test = TestQueue(on: try await .shared())
    let payloads = (0..<10).map { bytes("\($0)") }
    _ = try await test.queue.enqueue(payloads.map { OutgoingMessage(payload: $0) })
    _ = try await test.queue.join(.own, lease: .seconds(60))
    let request = ClaimRequest(life: .own, firstNumber: 0, limit: 7)
    _ = try await test.queue.turn(settling: [], claiming: request)

    var steps: [Int] = []
    while let claims = try await test.queue.fence(.own, isGone: true, limit: 3)?.claims {
      steps.append(claims.count)
      let back = claims.map { Settlement(claimID: $0.claimID, .back($0.element(crashes: 1))) }
      // Two workers may recover the same life at once.
      for settled in [claims.count, 0] {
        let answer = try await test.queue.settle(back, of: .fenced(.own))
        #expect(claims.isEmpty ? answer == nil : answer == settled)
      }
    }
    #expect(steps == [3, 3, 1, 0])
    let waiting = try await test.queue.peek(10)
    #expect(waiting.map(\.payload) == payloads)
    #expect(waiting.map(\.history.crashes) == Array(repeating: 1, count: 7) + [0, 0, 0])
    #expect(try await test.queue.renew(.own, lease: .seconds(60)) == RenewAnswer(isRenewed: false))
    #expect(InvariantCheck(try await test.dump()).violations() == [])
  }

  @Test("The crash of a message is counted without its payload, however large that is, and it stays whole")
  func large() async throws {
    let test = TestQueue(on: try await .shared())
    let payloads = [[UInt8](repeating: 97, count: 3 << 20), bytes("small"), [UInt8](repeating: 98, count: 20_000)]
    for (index, payload) in payloads.enumerated() {
      var push = RedisCommand("LPUSH", test.name.description)
      // One has been in a crash before.
      push.append(index == 0 ? payload : Element(history: .init(id: "x\(index)", crashes: 1), payload: payload).sealed)
      _ = try await test.redis.run(push)
    }
    _ = try await test.queue.join(.own, lease: .seconds(60))
    for number in 0..<3 {
      _ = try await test.queue.turn(settling: [], claiming: .init(life: .own, firstNumber: number, limit: 1))
    }
    var steps: [[Int]] = []
    while let claims = try await test.queue.fence(.own, isGone: true)?.claims, !claims.isEmpty {
      steps.append(claims.map(\.payload.count))
      #expect(claims.map(\.payloadSize) == (steps.count == 1 ? [20_000, 5] : [3 << 20]))
      let back = claims.map { Settlement(claimID: $0.claimID, .back($0.element(crashes: 1))) }
      #expect(try await test.queue.settle(back, of: .fenced(.own)) == claims.count)
    }
    #expect(steps == [[0, 5], [0]])
    let waiting = try await test.queue.peek(3)
    #expect(waiting.map(\.payload) == payloads)
    #expect(waiting.map(\.history.crashes) == [1, 2, 2])
    #expect(waiting.map(\.history.id) == ["5f-0000000000", "x1", "x2"])
  }

  @Test("A step costs what it moves: beside a hundred times as many claims it takes Redis no longer")
  func cost() async throws {
    let server = try await RedisServer()
    var microseconds: [[Double]] = [[], []]
    // So that the server knows the scripts.
    let queue = TestQueue(on: server).queue
    _ = try await queue.fence(.own, isGone: false)
    _ = try await queue.settle([], of: .own(.own))
    for _ in 0..<5 {
      for (index, count) in [1_000, 100_000].enumerated() {
        let test = TestQueue(on: server)
        try await test.run("ZADD {sms}:workers now-1m w@5f")
        try await test.run("HSET {sms}:turns w@5f \(count)")
        let fill =
          "for n = 0, ARGV[1] - 1 do redis.call('HSET', KEYS[1], '5f-' .. string.format('%010x', n), 'm' .. n) end"
        let key = test.queue.keys.claimed(.own)
        _ = try await test.redis.run(RedisCommand("EVAL", fill, "1", key, "\(count)"))
        try await test.run("CONFIG RESETSTAT")
        for step in 1...5 {
          let fenced = try #require(try await test.queue.fence(.own, isGone: false, limit: 100))
          #expect(fenced.claims.count == 100 && fenced.remaining == count - 100 * (step - 1))
          let back = fenced.claims.map { Settlement(claimID: $0.claimID, .back($0.element(crashes: 1))) }
          #expect(try await test.queue.settle(back, of: .fenced(.own)) == 100)
        }
        let stats = try await test.run("INFO commandstats").string ?? ""
        let calls = try #require(stats.firstMatch(of: /cmdstat_evalsha:calls=10,usec=(\d+)/))
        microseconds[index].append(try #require(Double(calls.1)))
      }
    }
    // Sorting them all took a hundred times as long. Generous, because other tests run meanwhile.
    let (few, many) = (try #require(microseconds[0].min()), try #require(microseconds[1].min()))
    #expect(many < few * 4, "five steps of 100: \(few) us of 1,000 claims, \(many) us of 100,000")
    print("fence and settle 5 x 100 claims: \(few) us of 1,000, \(many) us of 100,000")
  }
}
