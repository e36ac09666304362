import Testing

@testable import RedisClient

extension RedisEndpoint.Address {
  /// `host:port`.
  fileprivate init(_ text: String) {
    let colon = text.lastIndex(of: ":")!
    self = .tcp(host: String(text[..<colon]), port: Int(text[text.index(after: colon)...])!)
  }
}

private typealias Address = RedisEndpoint.Address

@Suite("SentinelSearch")
struct SentinelSearchTests {
  private let lost = RedisError(code: .disconnected, message: "Connection refused")

  /// Goes through a search in which sentinels answer and servers are as told, and writes down what it does.
  ///
  /// - Parameters:
  ///   - sentinels: `s1=r1` names a master, `s1?` knows none, `s1-` is not there, `s1!CODE` answers with an error.
  ///   - masters: servers that are masters; `r1!CODE` answers with an error, others are not there.
  private func walk(_ sentinels: [String], masters: [String], known: String? = nil) -> (
    steps: [String], end: RedisError?
  ) {
    func address(_ name: some StringProtocol) -> Address { Address("\(name):1") }
    let names = sentinels.map { String($0.prefix(2)) }
    var search = SentinelSearch("m", sentinels: names.map { address($0) }, known: known.map { address($0) })
    var steps: [String] = []
    while true {
      switch search.next() {
      case .ask(let sentinel):
        guard case .tcp(let name, _) = sentinel, let told = sentinels.first(where: { $0.hasPrefix(name) }) else {
          return (steps, nil)
        }
        steps.append("ask \(name)")
        let rest = told.dropFirst(3)
        switch told.dropFirst(2).first {
        case "=": search.got(.master(address(rest)), from: sentinel)
        case "?": search.got(.unknown(others: rest.isEmpty ? [] : [String(rest)]), from: sentinel)
        case "!": search.got(.failed(RedisError(serverMessage: String(rest))), from: sentinel)
        default: search.got(.failed(lost), from: sentinel)
        }
      case .connect(let server):
        guard case .tcp(let name, _) = server else { return (steps, nil) }
        steps.append("try \(name)")
        guard let told = masters.first(where: { $0.hasPrefix(name) }) else {
          search.got(lost, of: server)
          continue
        }
        if told.count == 2 { return (steps, nil) }
        search.got(RedisError(serverMessage: String(told.dropFirst(3))), of: server)
      case .give(let error): return (steps, error)
      }
    }
  }

  @Test(
    "Sentinels are asked in order until one names a server that is the master",
    arguments: [
      (["s1=r1", "s2=r1"], ["r1"], ["ask s1", "try r1"]),
      (["s1-", "s2=r1"], ["r1"], ["ask s1", "ask s2", "try r1"]),
      (["s1=r1", "s2=r2"], ["r2"], ["ask s1", "try r1", "ask s2", "try r2"]),
      // What failed is not tried once more, whoever names it.
      (["s1=r1", "s2=r1", "s3=r2"], ["r2"], ["ask s1", "try r1", "ask s2", "ask s3", "try r2"]),
      (["s1?", "s2=r1"], ["r1"], ["ask s1", "ask s2", "try r1"]),
      (["s1!NOAUTH Authentication required.", "s2=r1"], ["r1"], ["ask s1", "ask s2", "try r1"]),
      (["s1=r1", "s2=r2"], ["r1!LOADING it is", "r2"], ["ask s1", "try r1", "ask s2", "try r2"]),
    ] as [([String], [String], [String])]
  )
  func found(sentinels: [String], masters: [String], steps: [String]) {
    let (walked, end) = walk(sentinels, masters: masters)
    #expect(walked == steps)
    #expect(end == nil)
  }

  @Test("Where somebody keeps watch over the master, no sentinel is asked, whatever becomes of it")
  func watched() {
    #expect(walk(["s1=r2"], masters: ["r1", "r2"], known: "r1").steps == ["try r1"])
    let (steps, end) = walk(["s1=r2"], masters: ["r2"], known: "r1")
    #expect(steps == ["try r1"])
    #expect(end?.code == .noMaster)
  }

  @Test(
    "What is wrong is said of what tells most",
    arguments: [
      (["s1-"], [], RedisError.Cause.unreachable, "its sentinel does not answer; s1:1: Connection refused"),
      (["s1-", "s2-"], [], .unreachable, "none of its 2 sentinels answers; s1:1"),
      (["s1-", "s2?"], [], .unknownMaster, "s2:1 has no master 'm'; it watches none"),
      (["s1?other", "s2-"], [], .unknownMaster, "it watches other"),
      (["s1=r1", "s2-"], [], .noMaster, "r1:1 is what its sentinels name as master 'm': Connection refused"),
      (["s1=r1"], ["r1!LOADING it is"], .noMaster, "LOADING"),
      (["s1-", "s2!NOAUTH Authentication required."], [], .sentinelLogin, "s2:1 refuses: NOAUTH"),
      (["s1!WRONGPASS invalid"], [], .sentinelLogin, "WRONGPASS"),
      (["s1!NOPERM this user"], [], .sentinelLogin, "NOPERM"),
      (["s1!ERR unknown command 'SENTINEL'"], [], .notSentinel, "s1:1 is a Redis server and no sentinel"),
      // A login that the server refuses is wrong on every other one, too.
      (["s1=r1", "s2=r2"], ["r1!WRONGPASS invalid", "r2"], .badLogin, "WRONGPASS"),
    ] as [([String], [String], RedisError.Cause, String)]
  )
  func failed(sentinels: [String], masters: [String], cause: RedisError.Cause, words: String) {
    let (_, end) = walk(sentinels, masters: masters)
    #expect(end?.cause == cause)
    #expect(end?.message.contains(words) == true, "\(String(describing: end))")
  }

  @Test(
    "What a sentinel answers is read, and nothing else is taken for an address",
    arguments: [
      (RedisReply.array([.bulk([UInt8]("10.0.0.7".utf8)), .bulk([UInt8]("6379".utf8))]), "10.0.0.7:6379"),
      (.array([.bulk([UInt8]("::1".utf8)), .bulk([UInt8]("7001".utf8))]), "[::1]:7001"),
      (.array([.bulk([UInt8]("redis-1.local".utf8)), .bulk([UInt8]("1".utf8))]), "redis-1.local:1"),
      (.array([.bulk([]), .bulk([UInt8]("6379".utf8))]), nil),
      (.array([.bulk([UInt8]("h".utf8)), .bulk([UInt8]("0".utf8))]), nil),
      (.array([.bulk([UInt8]("h".utf8)), .bulk([UInt8]("65536".utf8))]), nil),
      (.array([.bulk([UInt8]("h".utf8)), .bulk([UInt8]("x".utf8))]), nil), (.array([]), nil), (.integer(1), nil),
      (.status("OK"), nil),
    ] as [(RedisReply, String?)]
  )
  func answers(reply: RedisReply, shown: String?) {
    switch SentinelAnswer(reply) {
    case .master(let address): #expect("\(address)" == shown)
    case .failed(let error):
      #expect(shown == nil)
      #expect(error.code == .unexpectedReply)
    default: Issue.record("no answer")
    }
    #expect(SentinelAnswer(.null) == nil)
  }
}

@Suite("MasterVotes")
struct MasterVotesTests {
  private let start = ContinuousClock.now

  private func elected(_ votes: [String], at time: Duration = .zero) -> String? {
    var all = MasterVotes()
    for (index, vote) in votes.enumerated() where !vote.isEmpty {
      all.got(Address("\(vote):1"), from: Address("s\(index):1"), now: start)
    }
    return all.elected(now: start + time).map { String("\($0)".dropLast(2)) }
  }

  @Test(
    "The address that more sentinels name than any other is the master's",
    arguments: [
      (["a", "a", "a"], "a"), (["a", "b", "b"], "b"), (["b", "a", "b", "a", "b"], "b"), (["a", "", ""], "a"),
      // Two that disagree: it stays as it is.
      (["a", "b", ""], nil), (["a", "b", "c"], nil), (["", "", ""], nil), (["a", "a", "b", "b"], nil),
    ] as [([String], String?)]
  )
  func count(votes: [String], winner: String?) { #expect(elected(votes) == winner) }

  @Test("A sentinel that is silent for a moment keeps its vote, so that one that was cut off does not turn the others")
  func silence() {
    var votes = MasterVotes()
    let (old, new) = (Address("a:1"), Address("b:1"))
    votes.got(new, from: Address("s1:1"), now: start)
    votes.got(new, from: Address("s2:1"), now: start)
    votes.got(old, from: Address("s3:1"), now: start + .seconds(3))
    #expect(votes.elected(now: start + .seconds(4)) == new)
    #expect(votes.elected(now: start + .seconds(6)) == old)
    #expect(votes.elected(now: start + .seconds(9)) == nil)
  }
}
