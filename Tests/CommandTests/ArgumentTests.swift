import Foundation
import TestSupport
import Testing

@Suite("What smsq is started with")
struct ArgumentTests {
  /// Commands with one byte too many for UTF-8, and how the argument is named. In the shell's printf, `\374` is the ü of
  /// Latin-1.
  static let refused: [(arguments: String, name: String)] = [
    (
      #"push --to +8613800138000 --text "$(printf 'D\374sseldorf')""#,
      "argument 5 (behind --text) is not UTF-8: its byte 2 is 0xFC"
    ),
    (#"push --to +8613800138000 --text="$(printf 'D\374')""#, "argument 4 (--text) is not UTF-8: its byte 9 is 0xFC"),
    (
      #"push --to +8613800138000 --text hi --id "$(printf '\303')""#,
      "argument 7 (behind --id) is not UTF-8: its byte 1"
    ),
    (#"push --file "$(printf 'm\374ller.jsonl')""#, "(behind --file)"),
    (#"send --to +8613800138000 --text "$(printf 'caf\351')""#, "(behind --text)"),
    (#"stats --queue "$(printf '\377')""#, "(behind --queue)"),
    (#"dead retry "$(printf '\374')""#, "argument 3 is not UTF-8"),
    (#"dead list --reason "$(printf '\374')""#, "(behind --reason)"),
    (#"worker --name "$(printf '\374')""#, "(behind --name)"),
    (#"worker --gateway "$(printf 'command:/opt/\374')""#, "(behind --gateway)"),
    (#"cron --database "$(printf '/tmp/\374.db')""#, "(behind --database)"),
    (#"table add --to +8613800138000 --text "$(printf '\374')""#, "(behind --text)"),
    (#"table add -- /bin/echo "$(printf 'D\374sseldorf')""#, "argument 5 is not UTF-8: its byte 2 is 0xFC"),
    (#"table add -- "$(printf '/bin/\374')""#, "argument 4 is not UTF-8"),
    (#""$(printf 'st\374ts')""#, "argument 1 is not UTF-8"),
    (#""$(printf -- '--hel\374')""#, "argument 1 is not UTF-8"),
    // The old two-byte form of a slash, half of a surrogate pair, and a character that was cut.
    (#"peek --queue "$(printf 'a\300\257')""#, "its byte 2 is 0xC0"),
    (#"peek --queue "$(printf '\355\240\275')""#, "its byte 1 is 0xED"),
    (#"peek --queue "$(printf 'ab\344\275')""#, "its byte 3 is 0xE4"),
  ]

  @Test(
    "An argument that is no UTF-8 is refused, whatever the command: named, with how to mend it, and 64",
    arguments: refused
  )
  func arguments(arguments: String, name: String) async throws {
    let result = try await Smsq.shell(#"exec "$1" \#(arguments)"#).end()
    #expect(result.code == 64, "\(result)")
    #expect(result.stdout == "")
    #expect(result.note.hasPrefix("smsq: argument ") && result.note.contains(name), "\(result.note)")
    #expect(result.note.contains("iconv"))
    #expect(!result.note.contains("sseldorf"))
  }

  @Test("Nothing of it is queued or stored: two ids that differ in such a byte are not one")
  func nothingDone() async throws {
    let bench = try await Bench()
    let database = NSTemporaryDirectory() + "/smsq-\(UUID().uuidString).db"
    let environment = [
      "SMSQ_REDIS": bench.server.url, "SMSQ_QUEUE": "\(bench.queue.name)", "SMSQ_DATABASE": database,
    ]
    let script = #"""
      for byte in '\374' '\366'; do
        id=$(printf "order-$byte")
        "$1" push --to +8613800138000 --text hi --id "$id"; echo $?
        "$1" table add --to +8613800138000 --text hi --id "$id"; echo $?
        "$1" table add -- /bin/echo "$id"; echo $?
      done
      """#
    let result = try await Smsq.shell(script, environment: environment).end()
    #expect(result.stdout.split(separator: "\n") == ["64", "64", "64", "64", "64", "64"], "\(result)")
    #expect(!FileManager.default.fileExists(atPath: database))
    #expect(try await bench.counts().waiting == 0)
  }

  @Test("What is UTF-8 arrives as it is, the character for what cannot be read included")
  func kept() async throws {
    let bench = try await Bench()
    let text = "Düsseldorf 验证码 \u{FFFD} e\u{301} \u{1F600}"
    let result = try await bench.smsq("push", "--to", Bench.to, "--text", text, "--id", "\u{FFFD}")
    #expect(result.code == 0 && result.output == "\u{FFFD}")
    let message = try await bench.waiting()[0].json
    #expect(Array((message["text"] as? String ?? "").utf8) == Array(text.utf8))
  }

  @Test(
    "A variable that is read as an option and is no UTF-8 is refused; others are left alone",
    arguments: [
      ("SMSQ_TEXT", #"push --to +8613800138000"#, 64), ("SMSQ_REDIS", "stats", 64), ("SMSQ_QUEUE", "stats", 64),
      ("SMSQ_TEXT", #"push --to +8613800138000 --text hello"#, 0), ("SMSQ_TEXT", "push --help", 0),
      ("SMSQ_TEXT", "pause", 0), ("OTHER_TEXT", "pause", 0), ("SMSQ_NONSENSE", "pause", 0), ("HOME", "pause", 0),
      ("HOME", "table stats", 78), ("XDG_DATA_HOME", "table init", 78),
    ] as [(String, String, Int32)]
  )
  func variables(name: String, arguments: String, code: Int32) async throws {
    let bench = try await Bench()
    let script = #"""
      export SMSQ_REDIS="$2" SMSQ_QUEUE="$3" \#(name)="$(printf '/D\374')"
      exec "$1" \#(arguments)
      """#
    let result = try await Smsq.shell(script, [bench.server.url, "\(bench.queue.name)"]).end()
    #expect(result.code == code, "\(result)")
    if code != 0 {
      #expect(result.note.hasPrefix("smsq: the environment variable \(name) is not UTF-8"), "\(result.note)")
    }
  }

  /// Whether a process of this user may put something in the place of /proc.
  private static let canHideProc: Bool = {
    let probe = Process()
    probe.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    probe.arguments = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/proc"]
    probe.standardError = FileHandle.nullDevice
    guard (try? probe.run()) != nil else { return false }
    probe.waitUntilExit()
    return probe.terminationStatus == 0
  }()

  @Test("Without /proc it says so and ends with 71, each time", .enabled(if: canHideProc, "hiding /proc takes root"))
  func withoutProc() async throws {
    let script = #"""
      mount -t tmpfs none /proc || exit 99
      for round in 1 2 3 4 5 6 7 8; do
        for command in '' --version stats worker 'push --to +8613800138000 --text hi'; do "$1" $command; echo $?; done
      done
      """#
    let process = try ChildProcess("unshare", ["--mount", "/bin/sh", "-c", script, "sh", Smsq.path])
    let result = try await process.end()
    #expect(result.stdout == String(repeating: "71\n", count: 40), "\(result)")
    #expect(
      Set(result.stderr.split(separator: "\n")) == ["smsq: there is no /proc here: mount it (mount -t proc proc /proc)"]
    )
  }
}
