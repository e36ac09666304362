import Foundation
import RedisClient
import Synchronization

/// A server on a free port of 127.0.0.1 that is no Redis: it says the same to every client, at once or to each request.
package final class StubServer: Sendable {
  package let port: Int
  package var url: String { "redis://127.0.0.1:\(port)/0" }
  private let ended = Ended()

  /// How many have come so far.
  package var clients: Int { ended.clients.withLock { $0 } }

  private final class Ended: Sendable {
    let flag = Mutex(false)
    let clients = Mutex(0)
    var isSet: Bool { flag.withLock { $0 } }
  }

  /// - Parameters:
  ///   - banner: said as soon as a client is there.
  ///   - answer: said to whatever it sends; nil to hang up then.
  package init(banner: String = "", answer: String?) throws {
    let (listener, port) = try Sockets.listen()
    self.port = Int(port)
    Thread.detachNewThread { [ended] in
      while let client = Sockets.accept(listener, unless: { ended.isSet }) {
        ended.clients.withLock { $0 += 1 }
        Thread.detachNewThread {
          _ = Sockets.write(Array(banner.utf8), to: client)
          while Sockets.read(client) != nil, let answer, Sockets.write(Array(answer.utf8), to: client) {}
          close(client)
        }
      }
      close(listener)
    }
  }

  deinit { ended.flag.withLock { $0 = true } }
}
