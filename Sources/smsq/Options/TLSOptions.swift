import ArgumentParser
import RedisClient

/// How to speak TLS to Redis. With a rediss:// URL all of it may be left out.
struct TLSOptions: ParsableArguments {
  @Option(
    name: .customLong("redis-ca"),
    help: ArgumentHelp(
      "For rediss://: certificates of the authorities that may have issued the server's, in PEM. (default: the system's)",
      valueName: "path"
    )
  )
  var ca: String?

  @Option(
    name: .customLong("redis-cert"),
    help: ArgumentHelp(
      "For rediss://: the client certificate, in PEM, for a server that asks for one.",
      valueName: "path"
    )
  )
  var certificate: String?

  @Option(
    name: .customLong("redis-key"),
    help: ArgumentHelp("For rediss://: the private key of --redis-cert, in PEM, without a password.", valueName: "path")
  )
  var key: String?

  @Option(
    name: .customLong("redis-server-name"),
    help: ArgumentHelp(
      "For rediss://: the name that the server's certificate is to have. (default: the URL's host)",
      valueName: "name"
    )
  )
  var serverName: String?

  @Flag(
    name: .customLong("redis-insecure"),
    help: "For rediss://: accept any certificate. Whoever is on the way can then read and change everything."
  )
  var isInsecure = false

  func validate() throws {
    for (option, value) in values where value?.isEmpty == true { throw ValidationError("\(option) is empty.") }
    if (certificate == nil) != (key == nil) {
      throw ValidationError(
        "--redis-cert and --redis-key go together; they may name one file that has both certificate and key."
      )
    }
    if let serverName, !RedisTLS.isServerName(serverName) {
      throw ValidationError(
        "'\(serverName)' is no server name: write a host name of letters, digits, dots and hyphens, or an IP address."
      )
    }
  }

  private var values: [(option: String, value: String?)] {
    [
      ("--redis-ca", ca), ("--redis-cert", certificate), ("--redis-key", key), ("--redis-server-name", serverName),
    ]
  }

  /// Which of them was given, if any.
  var first: String? { values.first { $0.value != nil }?.option ?? (isInsecure ? "--redis-insecure" : nil) }

  var tls: RedisTLS {
    var tls = RedisTLS()
    tls.caFile = ca
    tls.certificateFile = certificate
    tls.keyFile = key
    tls.serverName = serverName
    tls.isInsecure = isInsecure
    return tls
  }
}
