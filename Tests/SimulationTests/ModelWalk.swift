import RedisClient
import Simulation
import TestSupport
import Testing

@testable import MessageQueue
@testable import RedisClient

/// The same calls, drawn from a seed, to the model and to the scripts in a real redis-server.
///
/// The scripts' clock is a key that the walk sets: their TIME is replaced by a look at it. All else in them is as it is.
struct ModelWalk {
  private let seed: UInt64
  private let test: TestQueue
  private let queue: MessageQueue
  private var model: SimulatedRedis
  private var now: Int64 = 1_800_000_000_000
  private var generator: SeededGenerator
  private var calls: CallGenerator
  private var faultySteps = 0
  private static let clock = "clock"

  init(seed: UInt64) async throws {
    self.seed = seed
    // Of its own: its memory is full at times, and it is a replica at others.
    test = TestQueue(on: try await RedisServer())
    queue = test.queue
    model = SimulatedRedis(queue: test.name.description)
    generator = SeededGenerator(seed: seed)
    calls = CallGenerator()
    for script in [RedisScript.enqueue, .claim, .settle, .drop, .join, .renew, .fence] {
      let source = String(decoding: script.source, as: UTF8.self)
      let replaced = source.replacing("redis.call('TIME')", with: "redis.call('LRANGE', '\(Self.clock)', 0, 1)")
      try #require(replaced != source && !replaced.contains("TIME'"))
      try await test.redis.use(RedisScript(name: script.name, source: Array(replaced.utf8)))
    }
    try await setClock()
  }

  mutating func step(_ number: Int) async throws {
    if faultySteps > 0 {
      faultySteps -= 1
      if faultySteps == 0 { try await endFault() }
    } else {
      try await moveClock()
      if Int.random(in: 0..<16, using: &generator) == 0 { try await beginFault() }
    }
    let call = calls.next(in: model.state, at: now, using: &generator)
    let expected = model.answer(to: call, now: now)
    let answer = await queue.answer(to: call)
    // Written only of a failure: a call is long.
    func place() -> Comment { "seed \(seed), step \(number), at \(now), \(model.faults): \(call)" }
    try #require(answer == expected, place())
    var real = try await test.dump().values
    // It goes by itself, by Redis' own clock.
    real[test.queue.keys.rest] = nil
    let modelled = shown(model.state.values(under: test.queue.keys))
    if real != modelled {
      for key in Set(real.keys).union(modelled.keys) { try #require(real[key] == modelled[key], place()) }
    }
    calls.note(answer, to: call)
  }

  // MARK: The clock

  private mutating func moveClock() async throws {
    // To where something ends or begins, and just beside it.
    let times = model.state.lives.compactMap(\.leaseEnd) + model.state.later.members.prefix(3).map(\.score)
    let coming = times.filter { $0 > now }.randomElement(using: &generator)
    let passed: Int64 =
      switch Int.random(in: 0..<48, using: &generator) {
      case 40...41: (coming ?? now) - now + .random(in: -1...1, using: &generator)
      case 42: .random(in: -3...(-1), using: &generator)
      case 0: -3_600_000
      case 1: 3_600_000
      case 2...3: 10_000
      case 4...20: .random(in: 0...2_000, using: &generator)
      case 21...30: .random(in: 0...3, using: &generator)
      default: 0
      }
    now += passed
    try await setClock()
    if let dropping = model.state.dropping, dropping.expiry <= now {
      // Redis' own clock decides when a key expires.
      _ = try await test.redis.run(RedisCommand("DEL", queue.keys.dropping))
      model.state.dropping = nil
    }
  }

  private func setClock() async throws {
    _ = try await test.redis.run([
      RedisCommand("DEL", Self.clock), RedisCommand("RPUSH", Self.clock, "\(now / 1000)", "\(now % 1000 * 1000)"),
    ])
  }

  // MARK: Faults

  /// What a refused key held is kept here. The dump shows it, because the name begins like the others.
  private var stash: String { "{\(test.name)}:stash" }

  private mutating func beginFault() async throws {
    faultySteps = Int.random(in: 1...6, using: &generator)
    switch Int.random(in: 0..<4, using: &generator) {
    case 0:
      model.faults.isFull = true
      try await test.run("CONFIG SET maxmemory 1")
    case 1:
      model.faults.isReadOnly = true
      try await test.run("REPLICAOF 127.0.0.1 1")
    default:
      var keys: [SimulatedRedis.Key] = [
        .list, .wake, .later, .dead, .stats, .workers, .turns, .health, .dropping, .spread, .served, .limit,
      ]
      keys += model.state.lives.map { .claimed($0.life) }
      let key = keys.randomElement(using: &generator)!
      let name = key.name(under: queue.keys)
      model.faults.refusedKey = key
      _ = try await test.redis.run([
        RedisCommand("RENAME", name, stash), RedisCommand(key.isString ? "LPUSH" : "SET", name, "x"),
      ])
    }
  }

  private mutating func endFault() async throws {
    if model.faults.isFull { try await test.run("CONFIG SET maxmemory 0") }
    if model.faults.isReadOnly { try await test.run("REPLICAOF NO ONE") }
    if let key = model.faults.refusedKey {
      let name = key.name(under: queue.keys)
      _ = try await test.redis.run([RedisCommand("DEL", name), RedisCommand("RENAME", stash, name)])
    }
    model.faults = .init()
  }

  /// As it lies in Redis while a key is refused.
  private func shown(_ values: [String: RedisDump.Value]) -> [String: RedisDump.Value] {
    guard let key = model.faults.refusedKey else { return values }
    var values = values
    let x = Array("x".utf8)
    values[stash] = values[key.name(under: queue.keys)]
    values[key.name(under: queue.keys)] = key.isString ? .list([x]) : .string(x, expiry: -1)
    return values
  }
}

extension SimulatedRedis.Key {
  fileprivate var isString: Bool { [.dropping, .spread, .served, .limit].contains(self) }
}

extension RedisConnection {
  /// Has calls of a script run this source in its place.
  fileprivate func use(_ script: RedisScript) throws(RedisError) {
    var load = RedisCommand("SCRIPT", "LOAD")
    load.append(script.source)
    shas[script.name] = try run(load)
  }
}
