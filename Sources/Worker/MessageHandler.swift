import Logging
import MessageQueue

/// What the worker does with a message. The worker itself knows nothing of what a message means.
package protocol MessageHandler: Sendable {
  /// Fields for the log's first line, such as `gateway`.
  var startFields: Logger.Metadata { get }

  /// Handles one message. Called once a claim, many at a time.
  ///
  /// Cancellation means that the worker must stop now: return ``Outcome/unfinished`` as soon as possible.
  ///
  /// - Parameter tenure: to be asked again just before the message is handed on, where it had to wait for that.
  func handle(_ message: ClaimedMessage, during tenure: Tenure) async -> HandledMessage

  /// Fields that name a message in the log when it is not handled but buried, such as `id` and `to`. Must not be what
  /// kills a worker: it is called for messages that may have killed one.
  func describe(_ message: ClaimedMessage) -> Logger.Metadata
}

/// For how long a claimed message may be handled. An object, because each of them carries it along.
package final class Tenure: Sendable {
  /// False once the claim may be another worker's: the lease has ended.
  package let holds: @Sendable () -> Bool
  /// The present by the Redis server's clock, in Unix milliseconds. A worker host's own clock may jump, so whatever expires
  /// must be compared with this one.
  package let now: @Sendable () -> Int64

  package init(holds: @escaping @Sendable () -> Bool, now: @escaping @Sendable () -> Int64) {
    self.holds = holds
    self.now = now
  }

  /// For a message that nobody else can claim, and that never expires.
  package static let unlimited = Tenure(holds: { true }, now: { 0 })
}

/// What became of one message, and what to say of it in the log.
package struct HandledMessage: Sendable {
  package let outcome: Outcome
  /// What the log calls the message.
  package let id: String
  /// Appends fields for the event's log line, such as `to`, `segments`, `gateway`. Called only where the line is written.
  package let appendFields: @Sendable (inout LogFields) -> Void

  package init(_ outcome: Outcome, id: String, appendFields: @escaping @Sendable (inout LogFields) -> Void = { _ in }) {
    self.outcome = outcome
    self.id = id
    self.appendFields = appendFields
  }

  /// What a record of it says. Read from the fields of its line, because all that a handled message carries along costs each one.
  var receipt: (parts: Int?, providerID: String?) {
    var fields = LogFields()
    appendFields(&fields)
    var receipt: (parts: Int?, providerID: String?) = (nil, nil)
    for field in fields.list {
      switch (field.name, field.value) {
      case ("segments", .number(let parts)): receipt.parts = parts
      case ("provider_id", .text(let id)): receipt.providerID = id
      default: break
      }
    }
    return receipt
  }
}

/// Indirect for the reason that ``Settlement/Verb`` is.
package indirect enum Outcome: Sendable, Equatable {
  /// Done: the gateway took it.
  case sent
  /// Too old to be of use: counted, not sent.
  case expired
  /// Not sent: the gateway asks for fewer messages. `after` is the least time to wait, where it named one.
  case throttled(reason: String, after: Duration?)
  /// Not sent, and may work later. `after` is the least time to wait, where the gateway named one.
  case retry(reason: String, after: Duration?)
  /// It may have been sent, or not.
  case unknown(reason: String)
  /// The gateway will never take it: goes to the dead letters with the reason.
  case refused(reason: String)
  /// It is no message that any gateway could be asked to take: goes to the dead letters with the reason.
  case invalid(reason: String)
  /// Not to be tried before this time, Unix ms by Redis' clock, for a reason that is none of the message's. It keeps its order
  /// among others that wait for the same, where ``WorkerOptions/notesClaimTime`` is on.
  case putOff(until: Int64, reason: String)
  /// Nothing was done with it, and it goes back as it was.
  case notStarted
  /// Cut short by cancellation, and whether it was sent is not known.
  case unfinished
}
