import ArgumentParser
import Glibc
import RedisClient
import Reports

/// Why a command gives up: a sentence for a person, an exit code for a script.
struct Failure: Error, CustomStringConvertible {
  /// Empty where nothing is to be said.
  let description: String
  let code: ExitCode

  init(_ description: String, _ code: ExitCode) {
    self.description = description
    self.code = code
  }

  /// What it means that a result could not be written.
  ///
  /// - Parameter done: what the command has changed all the same.
  init(unwritten error: ErrorNumber, done: String?) {
    if error.number == EPIPE {
      // The reader has seen enough, as in `smsq peek | head`. What was changed is no matter of what it wants to see.
      self.init(done ?? "", .brokenPipe)
    } else {
      self.init("cannot write the result (\(error)): \(done ?? "what was written of it is not whole")", .ioError)
    }
  }

  /// What a Redis error means to a command that a person or a script runs once.
  ///
  /// - Parameter outcome: what became of a push that Redis has no room for.
  init(_ error: RedisError, outcome: String = "nothing was queued") {
    let opening =
      switch error.cause {
      case .unreachable, .interrupted, .hungUp, .noMaster: "cannot reach Redis at "
      case .httpServer, .tlsServer, .sshServer, .otherServer, .sentinel, .notSentinel, .unknownMaster, .sentinelLogin,
        .tls:
        ""
      case .notReady, .slotMoving, .noClusterYet: "Redis is not ready: "
      case .full: "Redis is full (maxmemory): "
      case .unwritable: "Redis takes no writes now: "
      default: "Redis refuses: "
      }
    let advice = error.cause.advice.map { "; \($0)" } ?? ""
    let ending =
      switch error.cause {
      case .full: "; \(outcome), try again when workers have drained it"
      case .unwritable: "; \(outcome), try again when it does"
      default: ""
      }
    self.init(opening + "\(error)" + advice + ending, error.cause.exitCode)
  }
}

extension RedisError.Cause {
  var exitCode: ExitCode {
    switch self {
    case .unreachable, .hungUp, .interrupted, .notReady, .noMaster, .replica: .unavailable
    case .tls(.hungUp), .tls(.other): .unavailable
    case .tls(.noTLS), .tls(.missingFile), .tls(.noLibrary): .config
    case .tls: .noPermission
    case .slotMoving, .noClusterYet, .tooManyClients, .full, .unwritable: .tempFail
    case .badLogin, .sentinelLogin, .noLoginWanted, .noUsers, .protectedMode, .noRight: .noPermission
    case .httpServer, .tlsServer, .sshServer, .otherServer, .sentinel, .notSentinel, .unknownMaster, .clusterNode,
      .noDatabase, .unknownCommand,
      .wrongType, .other:
      .config
    }
  }
}
