import Foundation
import TestSupport
import Testing

/// smsq doctor against supervisord's own reader, on the same files.
@Suite("What doctor says of a configuration, and what supervisord does with it")
struct RefusalTests {
  /// For each file of a folder: whether supervisord starts with it, and what it makes of the program's environment.
  private static let script = #"""
    import glob, io, json, sys
    from supervisor.options import ServerOptions
    class Ended(Exception): pass
    def end(code): raise Ended(code)
    for path in sorted(glob.glob(sys.argv[1] + '/*.conf')):
        options = ServerOptions()
        options.stderr, options.exit = io.StringIO(), end
        try:
            options.realize(['-n', '-c', path])
            programs = options.process_group_configs[0].process_configs
            print(json.dumps({'starts': True, 'environment': programs[0].environment if programs else {}}))
        except Ended:
            print(json.dumps({'starts': False, 'environment': {}}))
    """#

  private struct Reading: Decodable {
    let starts: Bool
    let environment: [String: String]
  }

  private struct Line: Decodable {
    let check: String
    let level: String
    let hint: String?
  }

  /// Values of `environment` and other lines, some right and most not.
  private static func lines(_ random: inout some RandomNumberGenerator) -> String {
    let pieces = [
      "A", "B", "=", ",", "\"", "'", " ", "x", "y/z", "%%", "%", "%40", "%(process_num)d", "%(program_name)s",
      "%(nope)s",
      "%(", "#", " ;", ";", "$", "@", "?", ":", "redis://h:6379/0", "\\", "ä", "(", ")", "*", "A=1", "B=\"x y\"",
      ",C='z'", "\n  ",
      "%(ENV_PATH)s",
    ]
    let text = (0..<Int.random(in: 0...6, using: &random)).map { _ in pieces.randomElement(using: &random)! }.joined()
    switch Int.random(in: 0...9, using: &random) {
    case 0...6: return "environment=" + ["", "A=", "A=\"", "A=1,B="].randomElement(using: &random)! + text
    case 7: return "stderr_logfile=/tmp/" + text.filter { !"/ \n".contains($0) }
    case 8: return "directory=" + text
    default:
      let values = [
        "1", "true", "no", "maybe", "5MB", "5M", "-1", "", "0,64", "0 64", "TERM", "022", "9", "x", "root", " 7 ",
      ]
      let options = [
        "autostart", "stopwaitsecs", "priority", "exitcodes", "umask", "user", "stopasgroup", "stdout_logfile_maxbytes",
        "numprocs",
        "redirect_stderr", "stopsignal", "autorestart", "startretries",
      ]
      return "\(options.randomElement(using: &random)!)=\(values.randomElement(using: &random)!)"
    }
  }

  @Test("doctor finds a problem wherever supervisord would not start, and where it would drop part of the environment")
  func same() async throws {
    let folder = NSTemporaryDirectory() + "/smsq-refusals-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var random = SystemRandomNumberGenerator()
    let examples = (0..<60).map { _ in Self.lines(&random) }
    for (index, lines) in examples.enumerated() {
      // Without its own log, supervisord makes one where it is started.
      let text = """
        [supervisord]
        logfile=\(folder)/s.log
        [program:w]
        command=smsq worker
        \(lines)

        """
      try text.write(toFile: String(format: "%@/%03d.conf", folder, index), atomically: true, encoding: .utf8)
    }
    let find = #"exec "$(sed -n '1s/^#!//p' "$(command -v supervisord)")" -c "$0" "$1""#
    let result = try await ChildProcess("sh", ["-c", find, Self.script, folder]).end()
    let readings = try result.output.split(separator: "\n").map {
      try JSONDecoder().decode(Reading.self, from: Data($0.utf8))
    }
    try #require(readings.count == examples.count, "\(result.stderr)")

    for (index, (lines, reading)) in zip(examples, readings).enumerated() {
      let path = String(format: "%@/%03d.conf", folder, index)
      let doctor = try await Smsq.run(["doctor", "--redis", "unix:///none", "--supervisor-config", path, "--json"])
      let found = try doctor.output.split(separator: "\n").map {
        try JSONDecoder().decode(Line.self, from: Data($0.utf8))
      }
      let refusals = found.filter { $0.level == "problem" && $0.hint?.contains("supervisord does not start") == true }
      let cuts = found.filter { $0.hint?.contains("supervisord drops") == true }
      if !reading.starts {
        #expect(!refusals.isEmpty, "supervisord refuses, doctor does not: \(lines.debugDescription)")
      } else if !refusals.isEmpty {
        // A % that Python takes for a format of all the variables at once: it starts, with nonsense in the value.
        #expect(
          refusals.allSatisfy { $0.hint?.contains("puts all its variables there") == true },
          "doctor alone refuses: \(lines.debugDescription)"
        )
      } else if cuts.isEmpty, lines.hasPrefix("environment=") {
        // Nothing was said: then what supervisord has made of it must hold all that was written, but for quotes and commas.
        let kept = reading.environment.map { $0.key + $0.value }.joined().filter { !"\"'= \n,".contains($0) }
        let expanded = lines.dropFirst("environment=".count).replacing("%%", with: "%").filter {
          !"\"'= \n,".contains($0)
        }
        // The later of two values of one key wins; and an = inside of quotes makes no pair.
        let isOneToOne = lines.filter { $0 == "=" }.count == reading.environment.count + 1
        if isOneToOne && !expanded.contains("%(") && !lines.contains(" ;") && !lines.contains(" #") {
          #expect(kept.sorted() == expanded.sorted(), "\(lines.debugDescription): \(reading.environment)")
        }
      }
    }
  }
}
