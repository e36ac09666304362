import TestSupport
import Testing

@Suite("smsq's help")
struct HelpTests {
  /// Of a command that asks Redis something, besides `redis`.
  private static let tls = ["redis-ca", "redis-cert", "redis-key", "redis-server-name", "redis-insecure"]

  static let options: [String: [String]] = [
    "push": [
      "redis", "queue", "to", "text", "template", "template-param", "sign", "from", "id", "in", "at", "expires-in",
      "file", "format", "strict", "max-queue",
      "id-lifetime", "default-country-code", "max-segments", "max-payload", "json",
    ],
    "worker": [
      "redis", "queue", "name", "concurrency", "lease", "wake-timeout", "drain", "max-attempts", "max-crashes",
      "backoff-base", "backoff-max", "after-crash", "dead-max", "dead-age", "keep", "replicas", "send-window",
      "expires-in",
      "payload", "metrics",
      "max-payload", "default-country-code", "max-segments", "gateway", "gateway-timeout", "gateway-ca",
      "gateway-secret-file", "gateway-secret",
      "gateway-from", "gateway-url", "sim-latency", "sim-fail",
      "sim-throttle",
      "sim-reject",
      "sim-drop", "sim-rate", "sim-seed", "on-unknown", "outbox", "database", "log-format", "log-level", "show-numbers",
    ],
    "send": [
      "to", "text", "template", "template-param", "sign", "from", "id", "default-country-code", "max-segments",
      "gateway", "gateway-timeout", "gateway-ca",
      "gateway-secret-file", "gateway-secret",
      "gateway-from", "gateway-url", "sim-latency",
      "sim-fail",
      "sim-throttle", "sim-reject", "sim-drop", "sim-rate", "sim-seed", "outbox", "database", "json",
    ],
    "count": ["text", "to", "default-country-code", "max-segments", "json"],
    "stats": ["redis", "queue", "json"],
    "peek": ["redis", "queue", "default-country-code", "number", "scheduled", "json", "show-numbers"],
    "cancel": [
      "redis", "queue", "scheduled", "before", "after", "to", "default-country-code", "keep", "yes", "json",
    ],
    "purge": ["redis", "queue", "scheduled", "print", "yes", "json"],
    "move": ["redis", "from", "to", "limit", "recipient", "matching", "default-country-code", "yes", "json"],
    "status": ["redis", "queue", "json"],
    "doctor": [
      "redis", "queue", "supervisor-config", "drain", "replicas", "worker", "within", "json",
    ],
    "cron": [
      "database", "processes", "limit", "max-runtime", "every", "timeout", "lease", "max-attempts", "max-crashes",
      "backoff-base", "backoff-max", "redis", "default-country-code", "max-segments", "gateway", "gateway-timeout",
      "gateway-ca", "gateway-secret-file", "gateway-secret",
      "gateway-from", "gateway-url", "sim-latency",
      "sim-fail", "sim-throttle", "sim-reject", "sim-drop", "sim-rate", "sim-seed", "on-unknown", "outbox", "verbose",
      "json",
    ],
    "table init": ["database"],
    "table add": [
      "database", "queue", "action", "to", "text", "from", "id", "stdin", "in", "file", "format", "strict",
      "default-country-code", "max-segments", "json",
    ],
    "table list": ["database", "state", "number", "json"],
    "table show": ["database", "json"],
    "table retry": ["database", "state"],
    "table remove": ["database", "state", "older-than"],
    "table stats": ["database", "json"],
    "outbox list": ["database", "number", "json"],
    "outbox stats": ["database", "json"],
    "dead list": [
      "redis", "queue", "reason", "older-than", "newer-than", "all", "limit", "json", "show-numbers",
    ],
    "dead show": ["redis", "queue", "json"],
    "dead retry": ["redis", "queue", "reason", "older-than", "newer-than", "all", "limit", "yes", "json"],
    "dead remove": ["redis", "queue", "reason", "older-than", "newer-than", "all", "limit", "yes", "json"],
    "pause": ["redis", "queue"],
    "limit": ["redis", "queue", "json"],
    "resume": ["redis", "queue"],
    "shards": ["redis", "queue", "wait", "json"],
  ]

  @Test("--help of a subcommand explains each of its options, even if a variable is broken", arguments: options.keys)
  func help(subcommand: String) async throws {
    let result = try await Smsq.run(
      subcommand.split(separator: " ").map(String.init) + ["--help"],
      environment: ["SMSQ_JSON": "maybe", "SMSQ_LEASE": "x"]
    )
    #expect(result.code == 0)
    #expect(result.stderr == "")
    let options = Self.options[subcommand]!
    // What says where Redis is comes with its files and its sentinels' login.
    let expected = options + (options.contains("redis") ? Self.tls + ["sentinel-user", "sentinel-password"] : [])
    for option in expected {
      let isThere = result.stdout.contains("--\(option) ") || result.stdout.contains("--\(option)\n")
      #expect(isThere, "--\(option)")
    }
    // Nothing is in the help that is not in the table above.
    let shown = Set(result.stdout.matches(of: /\n  (?:-. ?.?, )?--([a-z-]+)/).map { String($0.1) })
    #expect(shown.subtracting(["version", "help"]).subtracting(expected).isEmpty)
    let wide = result.stdout.split(separator: "\n").filter { $0.count > 80 && !$0.hasPrefix("USAGE") }
    #expect(wide.isEmpty)
  }

  @Test("smsq alone, --help and help list the commands and the exit codes", arguments: [[], ["--help"], ["help"]])
  func root(arguments: [String]) async throws {
    let result = try await Smsq.run(arguments)
    #expect(result.code == 0)
    for name in Self.options.keys { #expect(result.stdout.contains("\n  \(name.prefix { $0 != " " }) ")) }
    for code in ["64", "65", "69", "70", "74", "75", "77", "78"] {
      // The line may be broken there.
      #expect(result.stdout.contains("\(code) ") || result.stdout.contains("\(code)\n"))
    }
  }

  @Test(
    "--version is a version, for the command as for its subcommands",
    arguments: [["--version"], ["push", "--version"]]
  )
  func version(arguments: [String]) async throws {
    let result = try await Smsq.run(arguments)
    #expect(result.code == 0)
    #expect(result.output.wholeMatch(of: /\d+\.\d+\.\d+.*/) != nil)
  }

  @Test(
    "What it does not know is refused with 64",
    arguments: [["--nonsense"], ["nonsense"], ["stats", "--nonsense"]]
  )
  func unknown(arguments: [String]) async throws {
    let result = try await Smsq.run(arguments)
    #expect(result.code == 64)
    #expect(result.note.contains("nonsense"))
    #expect(result.stdout == "")
  }

  @Test("Completion scripts come out whole", arguments: ["bash", "zsh", "fish"])
  func completions(shell: String) async throws {
    let result = try await Smsq.run(["--generate-completion-script", shell])
    #expect(result.code == 0)
    for name in Self.options.keys { #expect(result.stdout.contains(name.prefix { $0 != " " })) }
    if shell == "bash" {
      let script = try TemporaryFile(result.stdout, extension: "bash")
      #expect(try await ChildProcess("bash", ["-n", script.path]).end().code == 0)
    }
  }

  @Test(
    "A worker that could not work says why and ends with 64",
    arguments: [
      (["--concurrency", "0"], "1 to 100000"), (["--lease", "10ms"], "1s or more"), (["--lease", "10"], "no unit"),
      (["--wake-timeout", "0s"], "10ms to 60s"), (["--backoff-base", "1h"], "--backoff-max"),
      (["--name", "two words"], "no worker name"), (["--queue", "{x}"], "no queue name"),
      (["--sim-fail", "0.7", "--sim-drop", "0.7"], "add up"), (["--sim-latency", "2s..1s"], "ends before it begins"),
      (["--log-format", "xml"], "text"), (["--gateway", "carrier pigeon"], "simulator"), (["--drain=-1s"], "negative"),
    ]
  )
  func workerUsage(arguments: [String], word: String) async throws {
    let result = try await Smsq.run(["worker"] + arguments)
    #expect(result.code == 64)
    #expect(result.stdout == "")
    #expect(result.note.contains(word), "\(result.note)")
  }
}
