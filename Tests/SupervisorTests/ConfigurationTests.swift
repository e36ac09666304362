import Foundation
import TestSupport
import Testing

/// What the supervisor files must agree on, with each other, with the program and with the manual.
@Suite("The supervisor files")
struct ConfigurationTests {
  static let files = ["smsq-worker.conf", "supervisord.conf", "cluster.conf"]

  private static func text(_ path: String) throws -> String {
    try String(contentsOfFile: "\(PrivateSupervisor.repository)/\(path)", encoding: .utf8)
  }

  /// The settings of the section [program:smsq-worker], without comments; lines that are indented go on.
  private static func settings(_ file: String) throws -> [String: String] {
    var settings: [String: String] = [:]
    var key: String?
    var isInside = false
    for line in try text("supervisor/" + file).components(separatedBy: "\n") {
      let content = line.components(separatedBy: " ;")[0]
      if line.hasPrefix("[") {
        isInside = line.hasPrefix("[program:smsq-worker]")
      } else if !isInside || line.hasPrefix(";") || content.trimmingCharacters(in: .whitespaces).isEmpty {
        continue
      } else if line.hasPrefix(" "), let key {
        settings[key]! += " " + content.trimmingCharacters(in: .whitespaces)
      } else {
        let parts = content.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
        key = parts[0]
        settings[parts[0]] = parts.count < 2 ? "" : parts[1]
      }
    }
    return settings
  }

  @Test("supervisord waits longer for the end of a worker than the worker drains", arguments: files)
  func stopTime(file: String) throws {
    let settings = try Self.settings(file)
    let command = try #require(settings["command"])
    let drain = try #require(command.firstMatch(of: /--drain (\d+)s(?: |$)/)).1
    // 2 s to give back what is left, and 1 s for the log.
    #expect(try #require(Int(settings["stopwaitsecs"] ?? "")) > Int(drain)! + 3)
    #expect(settings["stopsignal"] == "TERM")
  }

  @Test("What supervisord does not start again is what the manual says it leaves", arguments: files)
  func exitCodes(file: String) throws {
    let settings = try Self.settings(file)
    #expect(settings["autorestart"] == "unexpected")
    let codes = Set(try #require(settings["exitcodes"]).split(separator: ",").map(String.init))
    let rows = try Self.text("docs/operations.md").matches(of: /\n\| (\d+) \|[^\n]*\| ([^|\n]+) \|/)
    let left = Set(rows.filter { $0.2.hasPrefix("leaves it") }.map { String($0.1) })
    let restarted = Set(rows.filter { $0.2.hasPrefix("starts it again") }.map { String($0.1) })
    #expect(codes == left)
    #expect(restarted == ["70", "71", "75"])
  }

  @Test("Each program has logs of its own, with bounds", arguments: files)
  func logs(file: String) throws {
    let settings = try Self.settings(file)
    for stream in ["stdout", "stderr"] {
      #expect(settings["\(stream)_logfile"]?.contains("%(process_num)d") == true)
      #expect(settings["\(stream)_logfile_maxbytes"]?.hasSuffix("MB") == true)
    }
    #expect(settings["process_name"]?.contains("%(process_num)d") == true)
    #expect(settings["command"]?.contains("%(process_num)d") == true)
  }

  @Test("The options in the command lines are options that the worker has", arguments: files)
  func options(file: String) async throws {
    let command = try #require(try Self.settings(file)["command"])
    let words = command.split(separator: " ").map(String.init)
    let options = words.drop { $0 != "worker" }.map { $0.replacing(/%\([a-z_]+\)[sd]/, with: "0") }
    // --help does not look at the others; a queue that cannot be read does not come before an unknown option.
    let result = try await Smsq.run(options + ["--redis", "nonsense"])
    #expect(result.code == 64)
    #expect(result.note.contains("Redis URL"), "\(result.note)")
  }

  @Test(
    "supervisord reads the self-contained files",
    arguments: [
      ("supervisord.conf", ["redis redis 30"]),
      ("cluster.conf", ["redis redis-17701 30", "redis redis-17702 30", "redis redis-17703 30"]),
    ]
  )
  func parses(file: String, servers: [String]) async throws {
    let folder = NSTemporaryDirectory() + "/smsq-\(UUID().uuidString)"
    let files = FileManager.default
    try files.createDirectory(atPath: folder + "/supervisor", withIntermediateDirectories: true)
    try files.createDirectory(atPath: folder + "/run", withIntermediateDirectories: true)
    defer { try? files.removeItem(atPath: folder) }
    try files.copyItem(
      atPath: PrivateSupervisor.repository + "/supervisor/" + file,
      toPath: folder + "/supervisor/" + file
    )
    // Reads all of it with supervisord's own reader, and starts nothing.
    let script = """
      import sys
      from supervisor.options import ServerOptions
      options = ServerOptions()
      options.realize(['-c', sys.argv[1]])
      for group in options.process_group_configs:
          for program in group.process_configs:
              print(group.name, program.name, program.stopwaitsecs, sorted(program.exitcodes))
      """
    // By the Python that supervisord runs on: it may have one of its own.
    let find = #"exec "$(sed -n '1s/^#!//p' "$(command -v supervisord)")" -c "$0" "$1""#
    let result = try await ChildProcess("sh", ["-c", find, script, folder + "/supervisor/" + file]).end()
    #expect(result.code == 0, "\(result.stderr)")
    for program in servers + ["sms smsq-worker-0 20 [0, 64, 77, 78]"] {
      #expect(result.output.contains(program), "\(result)")
    }
  }
}
