import Testing

@testable import RedisClient

@Suite("ClusterSearch")
struct ClusterSearchTests {
  @Test(
    "MOVED names the node in whichever way",
    arguments: [
      ("MOVED 866 10.0.0.7:6381", "10.0.0.7:6381"), ("MOVED 866 redis-3.local:6381", "redis-3.local:6381"),
      ("MOVED 866 :6381", "h1:6381"), ("MOVED 866 ?:6381", "h1:6381"), ("MOVED 866 ::1:6381", "[::1]:6381"),
      ("MOVED 866 [2001:db8::7]:6381", "[2001:db8::7]:6381"), ("MOVED 866 h2:6381 more", "h2:6381"),
      ("MOVED 866 h2", nil), ("MOVED 866 h2:", nil), ("MOVED 866 h2:0", nil), ("MOVED 866 h2:65536", nil),
      ("MOVED 866", nil), ("MOVED", nil), ("ASK 866 h2:1", nil), ("", nil),
    ] as [(String, String?)]
  )
  func redirection(message: String, shown: String?) {
    let address = Redirection.address(in: message, from: .tcp(host: "h1", port: 1))
    #expect(address.map { "\($0)" } == shown)
  }

  /// Goes through a search in a cluster whose nodes are as told, and writes down whom it asks.
  ///
  /// - Parameter nodes: `n1` has the key, `n1>n2` points to another, `n1!WORD` answers with an error; others are not there.
  private func walk(_ nodes: [String], known: String? = nil, seeds: [String]) -> (asked: [String], end: RedisError?) {
    func address(_ name: some StringProtocol) -> RedisEndpoint.Address { .tcp(host: String(name), port: 1) }
    var search = ClusterSearch(known: known.map { address($0) }, others: seeds.map { address($0) })
    var asked: [String] = []
    while true {
      switch search.next() {
      case .connect(let node):
        guard case .tcp(let name, _) = node else { return (asked, nil) }
        asked.append(name)
        guard let told = nodes.first(where: { $0.hasPrefix(name) }) else {
          search.failed(RedisError(code: .disconnected, message: "Connection refused"))
          continue
        }
        switch told.dropFirst(2).first {
        case nil: return (asked, nil)
        case ">": search.moved(to: told.count == 3 ? nil : address(told.dropFirst(3)))
        default: search.failed(RedisError(serverMessage: String(told.dropFirst(3))))
        }
      case .give(let error): return (asked, error)
      }
    }
  }

  @Test(
    "The last known node is asked, then the seeds, and whom they point to",
    arguments: [
      (["n1"], nil, ["n1", "n2"], ["n1"]), (["n1>n3", "n3"], nil, ["n1", "n2"], ["n1", "n3"]),
      (["n2>n3", "n3"], nil, ["n1", "n2"], ["n1", "n2", "n3"]), (["n3", "n1"], "n3", ["n1"], ["n3"]),
      (["n1>n2", "n2"], "n3", ["n1"], ["n3", "n1", "n2"]), (["n2"], "n1", ["n1", "n2"], ["n1", "n2"]),
      // One that does not know yet that a node is dead, and one that knows its replica.
      (["n1>n3", "n2>n4", "n4"], nil, ["n1", "n2"], ["n1", "n3", "n2", "n4"]),
      (["n1>n3", "n2>n3"], nil, ["n1", "n2"], ["n1", "n3", "n2"]),
      // A node on the lesser side of a partition says so; the others serve.
      (["n1!CLUSTERDOWN it is", "n2"], nil, ["n1", "n2"], ["n1", "n2"]),
      (["n1!LOADING it is", "n2>n3", "n3"], nil, ["n1", "n2"], ["n1", "n2", "n3"]),
      (["n1>", "n2"], nil, ["n1", "n2"], ["n1", "n2"]),
    ] as [([String], String?, [String], [String])]
  )
  func order(nodes: [String], known: String?, seeds: [String], asked: [String]) {
    #expect(walk(nodes, known: known, seeds: seeds).asked == asked)
  }

  @Test(
    "What is wrong is said of what tells most",
    arguments: [
      ([], ["n1", "n2"], RedisError.Cause.unreachable, "n1:1: Connection refused"),
      (
        ["n1>n3"], ["n1", "n2"], .noMaster,
        "n3:1 has it, as the other nodes say, and does not serve: Connection refused"
      ),
      // It was asked before anybody pointed to it.
      (
        ["n2>n1"], ["n1", "n2"], .noMaster,
        "n1:1 has it, as the other nodes say, and does not serve: Connection refused"
      ),
      (["n1>n3", "n2!CLUSTERDOWN it is"], ["n1", "n2"], .noClusterYet, "CLUSTERDOWN"),
      (["n1!WRONGPASS invalid", "n2"], ["n1", "n2"], .badLogin, "WRONGPASS"),
      (["n1!NOPERM no", "n2"], ["n1", "n2"], .noRight, "NOPERM"),
    ] as [([String], [String], RedisError.Cause, String)]
  )
  func failed(nodes: [String], seeds: [String], cause: RedisError.Cause, words: String) {
    let end = walk(nodes, seeds: seeds).end
    #expect(end?.cause == cause)
    #expect(end?.message.contains(words) == true, "\(String(describing: end))")
  }

  @Test("Nodes that point to each other for ever are left after some hops")
  func circle() {
    let (asked, end) = walk(["n1>n2", "n2>n1"], seeds: ["n1", "n2"])
    #expect(asked.count <= 2 * ClusterSearch.mostHops + 2)
    #expect(end?.cause == .slotMoving)
  }
}

@Suite("RedisResolver")
struct RedisResolverTests {
  private let old = RedisEndpoint.Address.tcp(host: "r1", port: 1)
  private let new = RedisEndpoint.Address.tcp(host: "r2", port: 1)

  private func resolver(_ url: String) throws -> RedisResolver { RedisResolver(try RedisEndpoint(url)) }

  @Test("A server alone needs no way to be found")
  func fixed() throws {
    #expect(try resolver("redis://h1").route(for: "sms").isFixed)
    #expect(try !resolver("redis+sentinel://h1/m").route(for: "sms").isFixed)
    #expect(try !resolver("redis+cluster://h1").route(for: "sms").isFixed)
  }

  @Test("The sentinel that answered last is asked first")
  func lastFirst() throws {
    let resolver = try resolver("redis+sentinel://h1,h2,h3/m")
    resolver.answered(.tcp(host: "h3", port: 26379))
    resolver.answered(.tcp(host: "h2", port: 26379))
    var (search, _) = resolver.masterSearch("m")
    #expect((0..<3).map { _ in search.next() } == ["h2", "h3", "h1"].map { .ask(.tcp(host: $0, port: 26379)) })
  }

  @Test("Another master makes what is found already useless, and is told once a connection to it is open")
  func failover() throws {
    let resolver = try resolver("redis+sentinel://h1/m")
    let told = Told()
    resolver.watch { told.add($0) }
    let (_, first) = resolver.masterSearch("m")
    resolver.elected(old)
    // That was the first to be known of any: what was found before may be another.
    #expect(!resolver.reached(old, changes: first))
    let (_, second) = resolver.masterSearch("m")
    #expect(resolver.reached(old, changes: second))
    resolver.elected(old)
    #expect(resolver.reached(old, changes: second))
    #expect(told.all.isEmpty && !resolver.isLost)

    resolver.lost(since: .now - .seconds(3))
    #expect(resolver.isLost)
    resolver.elected(new)
    #expect(!resolver.reached(old, changes: second))
    #expect(told.all.isEmpty)
    let (_, third) = resolver.masterSearch("m")
    #expect(resolver.reached(new, changes: third))
    #expect(resolver.reached(new, changes: third))
    #expect(told.all.map(\.from) == [old] && told.all.map(\.to) == [new])
    #expect(told.all.allSatisfy { $0.duration >= .seconds(3) })
    #expect(!resolver.isLost)
  }

  @Test("A master that the sentinels come back to, before a connection was made to another one, has not changed")
  func backAgain() throws {
    let resolver = try resolver("redis+sentinel://h1/m")
    let told = Told()
    resolver.watch { told.add($0) }
    resolver.elected(old)
    let (_, first) = resolver.masterSearch("m")
    #expect(resolver.reached(old, changes: first))
    resolver.elected(new)
    resolver.elected(old)
    // What was found in between is of no use all the same.
    #expect(!resolver.reached(old, changes: first))
    let (_, second) = resolver.masterSearch("m")
    #expect(resolver.reached(old, changes: second))
    #expect(told.all.isEmpty && !resolver.isLost)
  }

  // Because the resolver calls its listener at once, on the test's own thread.
  private final class Told: @unchecked Sendable {
    private(set) var all: [RedisResolver.Failover] = []
    func add(_ failover: RedisResolver.Failover) { all.append(failover) }
  }

  @Test("A node that has failed comes last, and one that was learned first, however many there are")
  func nodes() throws {
    let resolver = try resolver("redis+cluster://h1,h2")
    func first(_ count: Int, for key: String) -> [String] {
      var search = resolver.nodeSearch(for: key)
      return (0..<count).compactMap { _ in
        guard case .connect(let address) = search.next() else { return nil }
        search.failed(RedisError(code: .disconnected, message: ""))
        return "\(address)"
      }
    }
    #expect(first(3, for: "sms") == ["h1:6379", "h2:6379"])
    resolver.learned(.tcp(host: "h3", port: 1), has: "sms")
    #expect(first(3, for: "sms") == ["h3:1", "h1:6379", "h2:6379"])
    #expect(first(1, for: "otp") == ["h3:1"])
    resolver.forget(.tcp(host: "h3", port: 1), has: "sms")
    #expect(first(3, for: "sms") == ["h1:6379", "h2:6379", "h3:1"])
    for port in 1...200 { resolver.learned(.tcp(host: "h4", port: port), has: "sms") }
    let all = first(300, for: "otp")
    #expect(all.count == 64 && all.contains("h1:6379") && all.contains("h2:6379"))
  }

  @Test(
    "Error replies that say something of the way alone are known, for each kind of place",
    arguments: [
      ("redis+cluster://h", "MOVED 866 h2:1", true), ("redis+cluster://h", "ASK 866 h2:1", true),
      ("redis+cluster://h", "TRYAGAIN Multiple keys", true), ("redis+cluster://h", "CLUSTERDOWN Hash slot", true),
      ("redis+cluster://h", "ERR Script attempted to access a non local key in a cluster node", true),
      ("redis+cluster://h", "ERR something", false), ("redis+cluster://h", "UNBLOCKED force", false),
      ("redis+cluster://h", "LOADING it", false), ("redis+sentinel://h/m", "READONLY You can't", true),
      ("redis+sentinel://h/m", "NOREPLICAS Not enough", false), ("redis+sentinel://h/m", "MOVED 1 h:1", false),
      ("redis://h", "MOVED 866 h2:1", false), ("redis://h", "READONLY You", false),
    ]
  )
  func refusals(url: String, message: String, isOfTheWay: Bool) throws {
    let route = try resolver(url).route(for: "sms")
    #expect((route.refusal(RedisError(serverMessage: message)) != nil) == isOfTheWay)
  }
}
