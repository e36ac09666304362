import Foundation
import MessageQueue
import ProcessTable
import RedisClient
import SMS

/// A `queue` row: its parameters are a message, which is pushed into the Redis queue once.
///
/// This is the transactional outbox: an application writes the row in the transaction of whatever the message is about, and
/// the message gets into the queue if and only if that commits. Between the push and the mark in the table the run may be
/// killed, or the answer of Redis be lost. The row then comes up again, and the enqueue script knows its idempotency key:
/// for seven days a second push is answered as a duplicate, which here means done.
struct QueueAction {
  /// Much longer than the 24 h of `smsq push`: a row that was pushed but not marked waits for the next run, and nobody
  /// knows how long a crontab stays switched off.
  private static let idLifetime = Duration.seconds(7 * 86400)

  private let gatherer: PushGatherer
  private let isCluster: Bool
  private let defaultCountryCode: String?
  private let maxSegments: Int

  /// - Parameters:
  ///   - connect: makes the connection for a queue.
  ///   - isCluster: whether that may lead to another node for each.
  init(
    connect: @escaping @Sendable (QueueName) -> RedisConnection,
    isCluster: Bool,
    defaultCountryCode: String?,
    maxSegments: Int
  ) {
    gatherer = PushGatherer(connect: connect, idLifetime: Self.idLifetime)
    self.isCluster = isCluster
    self.defaultCountryCode = defaultCountryCode
    self.maxSegments = maxSegments
  }

  private struct Destination: Decodable {
    var queue: String?
  }

  func run(_ row: ClaimedRow) async -> RowOutcome {
    let prepared: PreparedMessage
    let name: QueueName
    do {
      prepared = try PreparedMessage(
        payload: row.parameters,
        defaults: .init(
          id: row.idempotencyKey,
          countryCode: defaultCountryCode,
          queuedAt: ProcessDatabase.now(),
          maxSegments: maxSegments,
          maxPayload: MessageQueue.defaultMaxPayload
        )
      )
      let destination = try JSONDecoder().decode(Destination.self, from: Data(row.parameters))
      name = try destination.queue.map(QueueName.init(explaining:)) ?? .sms
    } catch let error as MessageError {
      return RowOutcome(.dead(reason: "\(error.code): \(error)"))
    } catch {
      return RowOutcome(.dead(reason: "'queue' is no queue name: write 1 to 64 letters, digits and any of _ - . :"))
    }

    let message = OutgoingMessage(payload: prepared.payload, callerID: row.idempotencyKey)
    do {
      try await gatherer.push(message, to: name)
      return RowOutcome(.done)
    } catch {
      let reason = Failure(error).description
      return RowOutcome(
        Self.concernsOneQueue(error, isCluster: isCluster)
          ? .retry(reason: reason, after: nil) : .unavailable(reason: reason)
      )
    }
  }

  /// Whether Redis refuses this queue and may take what is for others. Its rows must then give way as any that fail: if
  /// they went back as they were, they would come first in the next run again, and hold up the rows of all queues for
  /// ever.
  static func concernsOneQueue(_ error: RedisError, isCluster: Bool) -> Bool {
    switch error.cause {
    // Of a cluster, that the node is gone which has the queue, or the row's shard of it.
    case .noMaster: isCluster
    // The key's type; a slot that another node has; or the login works, and the user's ACL leaves this key out.
    case .wrongType, .clusterNode, .slotMoving, .noRight, .other: true
    case .unreachable, .hungUp, .interrupted, .httpServer, .tlsServer, .sshServer, .otherServer, .sentinel,
      .notSentinel, .unknownMaster, .sentinelLogin, .replica, .notReady, .noClusterYet, .tooManyClients,
      .full, .unwritable, .badLogin, .noLoginWanted, .noUsers, .protectedMode, .noDatabase, .unknownCommand, .tls:
      false
    }
  }
}
