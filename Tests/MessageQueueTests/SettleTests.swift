import MessageQueue
import RedisClient
import TestSupport
import Testing

@Suite("Settle")
struct SettleTests {
  @Test("Settle", arguments: verbs + holders + full + refused + kept)
  func table(row: ScriptCase) async throws { try await row.check() }

  private enum Outcome { case sent, expired, retry, later, dead, back }

  /// Settles claims by their numbers; what is stored has the payload `m<number>` and the id `<number>`.
  private static func settle(
    _ outcomes: (Int, Outcome)...,
    of holder: ClaimHolder = .own(.own),
    times: Int = 1
  ) -> @Sendable (MessageQueue) async throws -> String {
    let settlements = outcomes.map { number, outcome in
      var envelope = Envelope(history: .init(id: "\(number)"), payloadSize: "m\(number)".utf8.count)
      if outcome == .dead { envelope.reason = "why" }
      let verb: Settlement.Verb =
        switch outcome {
        case .sent: .sent
        case .expired: .expired
        case .retry: .retry(envelope, after: .seconds(300))
        case .later: .later(envelope, at: 4_000_000_000_000)
        case .dead: .dead(envelope)
        case .back: .back(envelope)
        }
      return Settlement(claimID: holder.life.claimID(number), verb)
    }
    return { queue in
      var answers: [String] = []
      for _ in 1...times {
        let settled = try await queue.settle(settlements, of: holder)
        answers.append(settled.map { "settled \($0)" } ?? "lost")
      }
      return answers.joined(separator: "; ")
    }
  }

  /// A life that holds `m0`, `m1`, ...
  private static func holding(_ count: Int, life: String = "w@5f", until: String = "now+1m") -> [String] {
    let epoch = life.split(separator: "@")[1]
    let claims = (0..<count).map { "\(epoch)-000000000\($0) m\($0)" }.joined(separator: " ")
    return ["ZADD {sms}:workers \(until) \(life)", "HSET {sms}:claimed:\(life) \(claims)"]
  }

  /// Settles `m0` as sent and `m1` as expired, and has both kept under ids of their own.
  private static let keep: @Sendable (MessageQueue) async throws -> String = { queue in
    let sent = MessageEnd(.sent, attempts: 2, parts: 3, providerID: "SM 1")
    let settlements = [
      Settlement(claimID: WorkerLife.own.claimID(0), .ended(sent, id: "a", keptFor: .seconds(3600))),
      Settlement(
        claimID: WorkerLife.own.claimID(1),
        .ended(MessageEnd(.expired, attempts: 1), id: "b", keptFor: .seconds(60))
      ),
      Settlement(claimID: WorkerLife.own.claimID(2), .sent),
    ]
    let settled = try await queue.settle(settlements, of: .own(.own))
    let known = try await queue.known(of: ["a", "b", "c"]).map { $0.end.map { $0.text } ?? "nothing" }
    return "settled \(settled ?? -1): \(known.joined(separator: ", "))"
  }

  static let kept: [ScriptCase] = [
    ScriptCase(
      "A full Redis settles, and keeps no records",
      before: holding(3),
      isFull: true,
      call: keep,
      answer: "settled 3: nothing, nothing, nothing",
      after: ["{sms}:stats: expired=1 sent=2", "{sms}:workers: w@5f@now+1m"]
    ),
    ScriptCase(
      "No record is written of a claim that is not there any more",
      before: ["ZADD {sms}:workers now+1m w@5f", "HSET {sms}:claimed:w@5f 5f-0000000009 m9"],
      call: keep,
      answer: "settled 0: nothing, nothing, nothing"
    ),
  ]

  @Test("What is to be kept is there under the message's id, with Redis' time, for so long")
  func records() async throws {
    let test = TestQueue(on: try await .shared())
    for command in Self.holding(3) { try await test.run(command) }
    let before = try await test.queue.now()
    #expect(try await Self.keep(test.queue) == "settled 3: sent 2 3 SM 1, expired 1 -, nothing")
    let known = try await test.queue.known(of: ["a", "b"])
    let endedAt = try #require(known[0].endedAt)
    #expect(try await (before...test.queue.now()).contains(endedAt))
    #expect(known[0].end == MessageEnd(.sent, attempts: 2, parts: 3, providerID: "SM 1"))
    #expect(known[1].end == MessageEnd(.expired, attempts: 1))
    let left = try #require(try await test.run("PTTL {sms}:done:b").integer)
    #expect((1...60_000).contains(left))
    let counters = try await test.queue.inspect().counters
    #expect(counters["sent"] == 2 && counters["expired"] == 1)
  }

  static let verbs: [ScriptCase] = [
    ScriptCase(
      "Each outcome sends its message to its own place, and is counted",
      before: holding(6) + ["LPUSH sms w"],
      call: settle((0, .sent), (1, .expired), (2, .retry), (3, .dead), (4, .back)),
      answer: "settled 5",
      after: [
        "sms: w m4<4>", "{sms}:claimed:w@5f: 5f-0000000005=m5", "{sms}:dead: m3<3 reason=why>@now",
        "{sms}:later: m2<2>@now+5m", "{sms}:stats: dead_total=1 expired=1 retried=1 returned=1 sent=1", "{sms}:wake: 1",
        "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "What is put off to a time is due then, counts nowhere, and stands by when it was first claimed",
      before: [
        "ZADD {sms}:workers now+1m w@5f", "HSET {sms}:claimed:w@5f 5f-0000000000 m0 5f-0000000001 m1",
      ],
      call: { queue in
        let due = try await queue.now() + 300_000
        let times: [(Int, Int64)] = [(0, 9_999_999_999_999), (1, 1_800_000_000_000)]
        let settlements = times.map { number, time in
          let envelope = Envelope(history: .init(id: "\(9 - number)", claimedAt: time), payloadSize: 2)
          return Settlement(claimID: WorkerLife.own.claimID(number), .later(envelope, at: due))
        }
        return "settled \(try await queue.settle(settlements, of: .own(.own)) ?? -1)"
      },
      answer: "settled 2",
      after: [
        "{sms}:later: m1<8>@now+5m m0<9>@now+5m", "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "What was sent is gone, and rings for nobody",
      before: holding(2),
      call: settle((0, .sent), (1, .sent)),
      answer: "settled 2",
      after: ["{sms}:stats: sent=2", "{sms}:workers: w@5f@now+1m"]
    ),
    ScriptCase(
      "A claim is settled once, however often it is asked for",
      before: holding(5),
      call: settle((0, .sent), (1, .expired), (2, .retry), (3, .dead), (4, .back), times: 3),
      answer: "settled 5; settled 0; settled 0",
      after: [
        "sms: m4<4>", "{sms}:dead: m3<3 reason=why>@now", "{sms}:later: m2<2>@now+5m",
        "{sms}:stats: dead_total=1 expired=1 retried=1 returned=1 sent=1", "{sms}:wake: 1",
        "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "Of two outcomes of one claim the one that comes first counts",
      before: holding(1),
      call: settle((0, .retry), (0, .dead)),
      answer: "settled 1",
      after: ["{sms}:later: m0<0>@now+5m", "{sms}:stats: retried=1", "{sms}:workers: w@5f@now+1m"]
    ),
    ScriptCase("Nothing to settle changes nothing", before: holding(1), call: settle(), answer: "settled 0"),
    ScriptCase(
      "Given back newest first, the oldest is next in line",
      before: holding(3) + ["LPUSH sms w"],
      call: settle((2, .back), (1, .back), (0, .back)),
      answer: "settled 3",
      after: [
        "sms: w m2<2> m1<1> m0<0>", "{sms}:stats: returned=3", "{sms}:wake: 1", "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "Eight wake tokens are enough",
      before: holding(1) + ["LPUSH {sms}:wake 1 1 1 1 1 1 1 1"],
      call: settle((0, .back)),
      answer: "settled 1",
      after: [
        "sms: m0<0>", "{sms}:stats: returned=1", "{sms}:wake: 1 1 1 1 1 1 1 1", "{sms}:workers: w@5f@now+1m",
      ]
    ),
  ]

  static let holders: [ScriptCase] = [
    ScriptCase(
      "A life whose lease has ended settles its claims as long as nobody has fenced it",
      before: holding(1, until: "now-1m"),
      call: settle((0, .sent)),
      answer: "settled 1",
      after: ["{sms}:stats: sent=1", "{sms}:workers: w@5f@now-1m"]
    ),
    ScriptCase(
      "A fenced life settles nothing",
      before: holding(2, until: "0"),
      call: settle((0, .sent), (1, .back)),
      answer: "lost"
    ),
    ScriptCase(
      "A life that was struck off settles nothing",
      before: ["ZADD {sms}:workers now+1m v@0a"],
      call: settle((0, .sent)),
      answer: "lost"
    ),
    ScriptCase(
      "Another settles nothing of a life that is not fenced",
      before: holding(1, until: "now-1m"),
      call: settle((0, .back), of: .fenced(.own)),
      answer: "lost"
    ),
    ScriptCase(
      "What a life did not know of counts as recovered, and stands under its own lease",
      before: holding(3),
      call: settle((2, .back), (1, .dead), (0, .back), of: .lost(.own)),
      answer: "settled 3",
      after: [
        "sms: m2<2> m0<0>", "{sms}:dead: m1<1 reason=why>@now", "{sms}:stats: dead_total=1 recovered=2",
        "{sms}:wake: 1",
        "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "A fenced life settles nothing that it did not know of either",
      before: holding(1, until: "0"),
      call: settle((0, .back), of: .lost(.own)),
      answer: "lost"
    ),
    ScriptCase(
      "Another settles what a fenced life held, as recovered",
      before: holding(3, life: "v@0a", until: "0") + holding(1),
      call: settle((2, .back), (1, .dead), (0, .back), of: .fenced(.other)),
      answer: "settled 3",
      after: [
        "sms: m2<2> m0<0>", "{sms}:claimed:w@5f: 5f-0000000000=m0", "{sms}:dead: m1<1 reason=why>@now",
        "{sms}:stats: dead_total=1 recovered=2", "{sms}:wake: 1", "{sms}:workers: v@0a@0 w@5f@now+1m",
      ]
    ),
  ]

  static let full: [ScriptCase] = [
    ScriptCase(
      "A full Redis lets \(Outcome.sent) and \(Outcome.retry) be recorded",
      before: holding(2),
      isFull: true,
      call: settle((0, .sent), (1, .retry)),
      answer: "settled 2",
      after: ["{sms}:later: m1<1>@now+5m", "{sms}:stats: retried=1 sent=1", "{sms}:workers: w@5f@now+1m"]
    ),
    ScriptCase(
      "A full Redis lets \(Outcome.dead) and \(Outcome.back) be recorded",
      before: holding(2),
      isFull: true,
      call: settle((0, .dead), (1, .back)),
      answer: "settled 2",
      after: [
        "sms: m1<1>", "{sms}:dead: m0<0 reason=why>@now", "{sms}:stats: dead_total=1 returned=1", "{sms}:wake: 1",
        "{sms}:workers: w@5f@now+1m",
      ]
    ),
  ]

  static let refused: [ScriptCase] =
    ["sms", "{sms}:wake", "{sms}:later", "{sms}:dead", "{sms}:stats"].map { key in
      ScriptCase(
        "A wrong type of \(key) leaves the claims in the worker's hand",
        before: holding(4) + ["SET \(key) x"],
        call: settle((0, .sent), (1, .retry), (2, .dead), (3, .back)),
        answer: "WRONGTYPE"
      )
    }
    + ["{sms}:workers", "{sms}:claimed:w@5f"].map { key in
      ScriptCase(
        "A wrong type of \(key) changes nothing",
        before: ["ZADD {sms}:workers now+1m w@5f", "SET \(key) x"],
        call: settle((0, .sent), (1, .retry)),
        answer: "WRONGTYPE"
      )
    }

  @Test(
    "A payload stays what it is, byte for byte, whatever was in front of it and comes in front of it",
    arguments: ElementTests.payloads
  )
  func payloads(payload: [UInt8]) async throws {
    let test = TestQueue(on: try await .shared())
    _ = try await test.queue.join(.own, lease: .seconds(60))
    let elements = [payload, Element(history: .init(id: "x", failures: 2), payload: payload).sealed]
    for element in elements {
      var push = RedisCommand("LPUSH", test.name.description)
      push.append(element)
      _ = try await test.redis.run(push)
    }
    let request = ClaimRequest(life: .own, firstNumber: 0, limit: 2)
    let hand = try #require(try await test.queue.turn(settling: [], claiming: request).claimed).messages
    let settlements = [
      Settlement(claimID: hand[0].claimID, .back(hand[0].element())),
      Settlement(claimID: hand[1].claimID, .dead(hand[1].element(reason: "why"))),
    ]
    #expect(try await test.queue.settle(settlements, of: .own(.own)) == 2)
    // What looks like an envelope was claimed as one.
    #expect(try await test.queue.peek(1).first?.payload == hand[0].payload)
    var pages = DeadLetterPages(of: test.queue)
    #expect(try await pages.next().first?.element.payload == hand[1].payload)
    #expect(hand.last?.payload == payload)
  }

  @Test("A large turn settles all it is given")
  func large() async throws {
    let test = TestQueue(on: try await .shared())
    _ = try await test.queue.join(.own, lease: .seconds(60))
    var settlements: [Settlement] = []
    for number in 0..<2_500 {
      let claimID = WorkerLife.own.claimID(number)
      let envelope = Envelope(history: .init(id: "\(number)"), payloadSize: claimID.utf8.count)
      settlements.append(.init(claimID: claimID, number < 2_100 ? .sent : .back(envelope)))
    }
    let claims = settlements.map { "\($0.claimID) \($0.claimID)" }.joined(separator: " ")
    try await test.run("HSET {sms}:claimed:w@5f \(claims)")
    #expect(try await test.queue.settle(settlements, of: .own(.own)) == 2_500)
    #expect(InvariantCheck(try await test.dump()).violations(plainPushes: 2_500) == [])
  }
}
