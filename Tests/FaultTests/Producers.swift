import MessageQueue
import RedisClient
import Synchronization
import TestSupport

/// Programs that push one message after the other, and remember what they were told.
final class Producers: Sendable {
  private struct State {
    var acknowledged: Set<String> = []
    var unknown: Set<String> = []
    var refused = 0
    var isOver = false
  }

  private final class Books: Sendable {
    let state = Mutex(State())
  }

  private let books = Books()
  private let tasks: [Task<Void, Never>]

  /// - Parameters:
  ///   - count: how many of them, each on a connection of its own.
  ///   - pause: how long each rests between two messages.
  init(_ bench: FaultBench, count: Int, text: String = "hello", every pause: Duration = .milliseconds(1)) {
    tasks = (0..<count).map { [books] producer in
      Task {
        let queue = MessageQueue(bench.queue.name, on: bench.server.connection(name: "producer"))
        var number = 0
        while !books.state.withLock(\.isOver) {
          let id = "p\(producer)-\(number)"
          number += 1
          do throws(RedisError) {
            _ = try await queue.enqueue([FaultBench.message(id, text: text)])
            books.state.withLock { _ = $0.acknowledged.insert(id) }
          } catch {
            // A refusal is an answer. Of anything else a producer cannot know whether it was carried out.
            let isRefusal = ["OOM", "LOADING", "MISCONF"].contains(error.code.rawValue)
            books.state.withLock {
              if isRefusal { $0.refused += 1 } else { _ = $0.unknown.insert(id) }
            }
          }
          try? await Task.sleep(for: pause)
        }
      }
    }
  }

  /// What Redis said is queued.
  var acknowledged: Set<String> { books.state.withLock(\.acknowledged) }
  /// What got no answer.
  var unknown: Set<String> { books.state.withLock(\.unknown) }
  /// How often Redis said no.
  var refused: Int { books.state.withLock(\.refused) }

  func stop() async {
    books.state.withLock { $0.isOver = true }
    for task in tasks { await task.value }
  }
}
