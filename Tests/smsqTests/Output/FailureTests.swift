import ArgumentParser
import RedisClient
import Testing

@testable import smsq

@Suite("What a Redis error means to a command")
struct FailureTests {
  private static let codes: [(ExitCode, [RedisError.Cause])] = [
    (.unavailable, [.unreachable, .hungUp, .interrupted, .notReady, .noMaster, .replica, .tls(.hungUp), .tls(.other)]),
    (.tempFail, [.slotMoving, .noClusterYet, .tooManyClients, .full, .unwritable]),
    (
      .noPermission,
      [
        .badLogin, .sentinelLogin, .noLoginWanted, .noUsers, .protectedMode, .noRight, .tls(.expired),
        .tls(.notYetValid), .tls(.unknownIssuer), .tls(.selfSigned), .tls(.wrongHost), .tls(.weak), .tls(.unfit),
        .tls(.certificateWanted), .tls(.certificateRefused), .tls(.nothingInCommon), .tls(.badFile),
        .tls(.encryptedKey), .tls(.keyMismatch), .tls(.unreadableFile),
      ]
    ),
    (
      .config,
      [
        .httpServer, .tlsServer, .sshServer, .otherServer, .sentinel, .notSentinel, .unknownMaster, .clusterNode,
        .noDatabase, .unknownCommand, .wrongType, .other, .tls(.noTLS), .tls(.missingFile), .tls(.noLibrary),
      ]
    ),
  ]

  @Test("Each cause has its exit code")
  func code() {
    #expect(Self.codes.reduce(0) { $0 + $1.1.count } == RedisError.Cause.allCases.count)
    for (code, causes) in Self.codes {
      for cause in causes { #expect(cause.exitCode == code, "\(cause)") }
    }
  }

  @Test("Each cause that a person can do something about says what")
  func words() {
    for cause in RedisError.Cause.allCases where ![.full, .unwritable, .other, .tls(.other)].contains(cause) {
      #expect(cause.remedy != nil || cause.advice != nil, "\(cause)")
    }
  }

  @Test(
    "The hint is that of the error, and of no other",
    arguments: [
      ("ERR", "ERR max number of clients reached", "maxclients", ExitCode.tempFail),
      ("ERR", "ERR DB index is out of range", "no such database", .config),
      ("ERR", "ERR SELECT is not allowed in cluster mode", "no such database", .config),
      ("ERR", "ERR unknown command 'SCRIPT'", "no proxy", .config),
      ("MOVED", "MOVED 3999 127.0.0.1:6381", "Redis Cluster", .config),
      ("NOPERM", "NOPERM no permissions", "ACL", .noPermission),
      ("WRONGPASS", "WRONGPASS invalid", "user:password@", .noPermission),
      ("READONLY", "READONLY You can't write", "master's address", .unavailable),
      ("WRONGTYPE", "WRONGTYPE Operation", "a key of the queue's name", .config),
      ("ERR", "ERR something new", "ERR something new", .config),
      ("OOM", "OOM command not allowed", "nothing was queued", .tempFail),
      ("MISCONF", "MISCONF snapshots", "nothing was queued", .tempFail),
      ("CLUSTERDOWN", "CLUSTERDOWN The cluster is down", "its cluster", .tempFail),
      ("slot-moving", "the slot of 'sms' is on its way", "try again", .tempFail),
      ("no-master", "h1:6379 is what its sentinels name", "some seconds", .unavailable),
      ("unknown-master", "its sentinel h1:26379 has no master 'x'", "/mymaster", .config),
      ("sentinel-refused", "its sentinel h1:26379 refuses", "SMSQ_SENTINEL_PASSWORD", .noPermission),
      ("not-sentinel", "h1:6379 is a Redis server", "26379", .config),
    ]
  )
  func hint(code: String, message: String, word: String, exit: ExitCode) {
    let failure = Failure(RedisError(code: .init(rawValue: code), message: message))
    #expect(failure.description.contains(word), "\(failure)")
    #expect(failure.description.contains("a key of the queue's name") == (code == "WRONGTYPE"))
    #expect(failure.code == exit)
  }
}
