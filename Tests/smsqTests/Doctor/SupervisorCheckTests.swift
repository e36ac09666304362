import Foundation
import RedisClient
import Testing

@testable import smsq

@Suite("Supervisor check")
struct SupervisorCheckTests {
  /// What is not as it should be about a program with these lines: `level check`.
  private func complaints(_ lines: [String]) -> [String] {
    var options = ["command": "smsq worker", "stopwaitsecs": "40", "exitcodes": "0,64,77,78"]
    for section in SupervisorConfig.sections(of: "[x]\n" + lines.joined(separator: "\n"), file: "/nowhere/w.conf") {
      options.merge(section.options) { $1 }
    }
    let config = SupervisorConfig(sections: [.init(name: "program:w", file: "/nowhere/w.conf", options: options)])
    return SupervisorCheck.findings(config, path: "w.conf", drain: .seconds(30))
      .filter { $0.level > .ok }.map { "\($0.level) \($0.check)" }
  }

  @Test(
    "Each mistake is found",
    arguments: [
      ([], []),
      (["stopwaitsecs=30"], ["problem w stopwaitsecs"]),
      (["stopwaitsecs=32"], ["warning w stopwaitsecs"]),
      (["stopwaitsecs=soon"], ["problem w stopwaitsecs"]),
      (["command=smsq worker --drain 10s", "stopwaitsecs=15"], []),
      (["command=smsq worker --drain 1m"], ["problem w stopwaitsecs"]),
      (["command=smsq worker --drain 30"], ["problem w stopwaitsecs"]),
      (["environment=SMSQ_DRAIN=\"1m\""], ["problem w stopwaitsecs"]),
      (["stopsignal=KILL"], ["problem w stopsignal"]),
      (["stopsignal=INT"], []),
      (["stopsignal=HUP"], []),
      (["stopsignal=QUIT"], ["problem w stopsignal"]),
      (["exitcodes=0"], ["warning w exitcodes"]),
      (["exitcodes=0, 64, 77, 78, 69"], []),
      (["exitcodes=0,64,75,77,78"], ["problem w exitcodes"]),
      (["autorestart=false"], ["warning w exitcodes"]),
      (["autorestart=true"], ["warning w exitcodes"]),
      (["numprocs=2", "command=smsq worker --name one"], ["problem w name"]),
      (["numprocs=2", "command=smsq worker --name one-%(process_num)d"], []),
      (["numprocs=2"], []),
      (["stdout_logfile=AUTO", "stderr_logfile=NONE"], []),
      (["stdout_logfile=/dev/stdout"], ["problem w stdout_logfile_maxbytes"]),
      (["stdout_logfile=/dev/stdout", "stdout_logfile_maxbytes=0"], []),
      (["stdout_logfile=/tmp/w.log"], []),
      (["stdout_logfile=/tmp/w.log", "stdout_logfile_maxbytes=0"], ["warning w stdout_logfile_maxbytes"]),
      (["stderr_logfile=/no/such/folder/w.err"], ["problem w stderr_logfile"]),
      (["numprocs=2", "stdout_logfile=/tmp/w.log"], ["problem w stdout_logfile"]),
      (["numprocs=2", "stdout_logfile=/tmp/w-%(process_num)d.log"], []),
      (["command=smsq worker --redis redis://:secret@host"], ["warning program:w command"]),
      (["command=smsq worker --redis=redis://u:secret@host"], ["warning program:w command"]),
      (["command=smsq worker --redis redis://:%(ENV_PASSWORD)s@host"], []),
      (["command=smsq worker --redis redis://user@host"], []),
    ] as [([String], [String])]
  )
  func finds(lines: [String], expected: [String]) {
    #expect(complaints(lines) == expected)
  }

  @Test("A file with a password must not be readable for all, and one without may be", arguments: [0o644, 0o600])
  func secret(mode: Int) throws {
    let path = FileManager.default.temporaryDirectory.path + "/smsq-\(UUID()).conf"
    defer { try? FileManager.default.removeItem(atPath: path) }
    for (url, isOpen) in [("redis://:secret@h/0", mode == 0o644), ("redis://h/0", false)] {
      let text =
        "[program:w]\ncommand=smsq worker\nstopwaitsecs=40\nexitcodes=0,64,77,78\nenvironment=SMSQ_REDIS=\"\(url)\"\n"
      try text.write(toFile: path, atomically: true, encoding: .utf8)
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
      let problems = SupervisorCheck.findings(path: path, drain: .seconds(30)).filter { $0.level > .ok }
      #expect(problems.map(\.check) == (isOpen ? [path] : []))
      #expect(!problems.contains { "\($0)".contains("secret") })
    }
  }

  @Test("The files that come with smsq have no fault but a log directory that may be missing here")
  func ours() {
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../supervisor").path
    for (file, programs) in [("smsq-worker.conf", 1), ("supervisord.conf", 1)] {
      let findings = SupervisorCheck.findings(path: "\(root)/\(file)", drain: .seconds(30))
      #expect(findings.filter { $0.check.hasSuffix("stopwaitsecs") && $0.level == .ok }.count == programs)
      let faults = findings.filter { $0.level > .ok && !$0.check.hasSuffix("_logfile") }
      #expect(faults == [])
    }
  }

  @Test("A file that cannot be read is a problem, one without a worker a warning")
  func nothing() {
    #expect(SupervisorCheck.findings(path: "/no/such.conf", drain: .zero).map(\.level) == [.problem])
    let empty = SupervisorConfig(sections: [])
    #expect(SupervisorCheck.findings(empty, path: "x", drain: .zero).map(\.level) == [.warning])
  }
}
