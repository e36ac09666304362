import ArgumentParser
import RedisClient

/// Why a command gives up: a sentence for a person, an exit code for a script.
struct Failure: Error, CustomStringConvertible {
  let description: String
  let code: ExitCode

  init(_ description: String, _ code: ExitCode) {
    self.description = description
    self.code = code
  }

  /// What a Redis error means to a command that a person or a script runs once.
  ///
  /// - Parameter outcome: what became of a push that Redis has no room for.
  init(_ error: RedisError, outcome: String = "nothing was queued") {
    switch error.treatment {
    case .reconnect:
      self.init(
        "cannot reach Redis at \(error); is it running, and is --redis (or SMSQ_REDIS) right?",
        .unavailable
      )
    case .wait:
      self.init("Redis is not ready: \(error); try again", .unavailable)
    case .full:
      self.init(
        "Redis is full (maxmemory): \(error); \(outcome), try again when workers have drained it",
        .tempFail
      )
    case .unwritable:
      self.init("Redis takes no writes now: \(error); \(outcome), try again when it does", .tempFail)
    case .denied:
      self.init("Redis refuses: \(error); give user and password as redis://user:password@host:port/db", .noPermission)
    case .refused:
      self.init("Redis refuses: \(error); is there a key of the queue's name that something else made?", .config)
    }
  }
}
