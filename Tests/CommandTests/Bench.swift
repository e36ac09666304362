import Foundation
import MessageQueue
import RedisClient
import TestSupport

/// A queue of a test's own, and smsq commands that use it.
struct Bench: Sendable {
  let server: RedisServer
  let queue: TestQueue
  /// A name that no other worker has.
  let workerName = "worker-\(UInt64.random(in: .min ... .max))"

  /// - Parameter server: nil for the one that all tests share.
  init(on server: RedisServer? = nil) async throws {
    if let server { self.server = server } else { self.server = try await .shared() }
    queue = TestQueue(on: self.server)
  }

  static let to = "+8613800138000"
  static let message = ["--to", to, "--text", "hello there"]

  /// Runs a subcommand on this queue.
  func smsq(
    _ arguments: String...,
    input: String? = nil,
    environment: [String: String] = [:]
  ) async throws -> ChildProcess.Result {
    try await smsq(arguments, input: input, environment: environment)
  }

  func smsq(
    _ arguments: [String],
    input: String? = nil,
    environment: [String: String] = [:]
  ) async throws -> ChildProcess.Result {
    try await Smsq.run(
      [arguments[0], "--redis", server.url, "--queue", queue.name.description] + arguments.dropFirst(),
      environment: environment,
      input: input.map { .bytes([UInt8]($0.utf8)) } ?? .none
    )
  }

  /// Starts a worker of this queue, and of no other.
  func worker(
    name: String? = nil,
    _ arguments: String...,
    readsOutput: Bool = true
  ) throws -> ChildProcess {
    try ChildProcess(
      Smsq.path,
      ["worker", "--redis", server.url, "--queue", queue.name.description, "--name", name ?? workerName] + arguments,
      readsOutput: readsOutput
    )
  }

  /// Pushes messages with a command of their own, as a producer would.
  func push(_ count: Int, text: String = "hello", prefix: String = "m", _ arguments: String...) async throws {
    let lines = (0..<count).map { #"{"to":"\#(Self.to)","text":"\#(text)","id":"\#(prefix)\#($0)"}"# }
    let result = try await smsq(
      ["push", "--file", "-", "--format", "jsonl"] + arguments,
      input: lines.joined(separator: "\n")
    )
    if result.code != 0 { throw NeverHappened(description: "push: \(result)") }
  }

  /// What waits, the next one first.
  func waiting() async throws -> [String] {
    try await queue.queue.peek(100_000).map { String(decoding: $0.payload, as: UTF8.self) }
  }

  func counts() async throws -> QueueSnapshot { try await queue.queue.inspect() }

  func sent() async throws -> Int { try await counts().counters["sent"] ?? 0 }

  func eventually(sent count: Int, within deadline: Duration = .seconds(30)) async throws {
    try await TestSupport.eventually(within: deadline, "\(count) sent") { try await sent() >= count }
  }

  func violations(plainPushes: Int = 0) async throws -> [String] {
    InvariantCheck(try await queue.dump()).violations(plainPushes: plainPushes)
  }

  /// The dead letters.
  func dead() async throws -> [Element] {
    let reply = try await queue.run("ZRANGE {sms}:dead 0 -1")
    return (reply.array ?? []).map { Element($0.bytes ?? []) }
  }
}

extension String {
  /// Its members, where it is one JSON object.
  var json: [String: any Sendable] {
    get throws {
      let object = try JSONSerialization.jsonObject(with: Data(utf8))
      guard let members = object as? [String: any Sendable] else { throw CocoaError(.coderReadCorrupt) }
      return members
    }
  }
}

/// A file that goes when the object does.
final class TemporaryFile: Sendable {
  let path: String

  init(_ contents: String, extension suffix: String) throws {
    path = NSTemporaryDirectory() + "/smsq-\(UUID().uuidString).\(suffix)"
    try contents.write(toFile: path, atomically: false, encoding: .utf8)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
