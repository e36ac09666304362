import Foundation
import RedisClient
import Testing

@testable import Reports

@Suite("Supervisor check")
struct SupervisorCheckTests {
  /// What is not as it should be about a program with these lines: `level check`.
  private func complaints(_ lines: [String]) -> [String] {
    var options = ["command": "smsq worker", "stopwaitsecs": "40", "exitcodes": "0,64,77,78"]
    for section in SupervisorConfig.sections(of: "[x]\n" + lines.joined(separator: "\n"), file: "/nowhere/w.conf").0 {
      options.merge(section.options) { $1 }
    }
    let config = SupervisorConfig(sections: [.init(name: "program:w", file: "/nowhere/w.conf", options: options)])
    return SupervisorCheck.findings(config, path: "w.conf", drain: .seconds(30))
      .filter { $0.level > .ok }.map { "\($0.level) \($0.check)" }
  }

  private static let numbered = "numprocs=2\nprocess_name=%(program_name)s-%(process_num)d"

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
      (["stopsignal=sigterm"], []),
      (["stopsignal=15"], []),
      (["stopsignal=HUP"], ["problem w stopsignal"]),
      (["stopsignal=FOO"], ["problem w stopsignal"]),
      (["stopsignal=QUIT"], ["problem w stopsignal"]),
      (["exitcodes=0"], ["warning w exitcodes"]),
      (["exitcodes=0, 64, 77, 78, 69"], []),
      (["exitcodes=0,64,75,77,78"], ["problem w exitcodes"]),
      (["autorestart=false"], ["warning w exitcodes"]),
      (["autorestart=true"], ["warning w exitcodes"]),
      ([numbered, "command=smsq worker --name one"], ["problem w name"]),
      ([numbered, "command=smsq worker --name one-%(process_num)d"], []),
      ([numbered], []),
      (["stdout_logfile=AUTO", "stderr_logfile=NONE"], []),
      (["stdout_logfile=/dev/stdout"], ["problem w stdout_logfile_maxbytes"]),
      (["stdout_logfile=/dev/stdout", "stdout_logfile_maxbytes=0"], []),
      (["stdout_logfile=/tmp/w.log"], []),
      (["stdout_logfile=/tmp/w.log", "stdout_logfile_maxbytes=0"], ["warning w stdout_logfile_maxbytes"]),
      (["stderr_logfile=/no/such/folder/w.err"], ["problem w stderr_logfile"]),
      ([numbered, "stdout_logfile=/tmp/w.log"], ["problem w stdout_logfile"]),
      ([numbered, "stdout_logfile=/tmp/w-%(process_num)d.log"], []),
      (["command=smsq worker --redis redis://:secret@host"], ["warning program:w command"]),
      (["command=smsq worker --redis=redis://u:secret@host"], ["warning program:w command"]),
      (["command=smsq worker --redis redis://:%(ENV_NOT_SET)s@host"], ["warning w command"]),
      (["command=smsq worker --redis redis://:%(ENV_P)s@host", #"environment=P="secret""#], []),
      (
        ["command=smsq worker --redis redis://:p/%%2Fsecret@host"],
        ["warning program:w command", "problem w redis"]
      ),
      (["command=smsq worker --redis redis://user@host"], ["problem w redis"]),
      ([#"environment=SMSQ_REDIS="redis://h:82556""#], ["problem w redis"]),
      (["command=smsq worker --redis rediss://h"], []),
      (["command=smsq worker --redis rediss://h --redis-ca /nonexistent.pem"], ["problem w redis"]),
      ([#"environment=SMSQ_REDIS="rediss://h",SMSQ_REDIS_CA="/dev/null""#], ["problem w redis"]),
      ([#"environment=SMSQ_REDIS="redis://:p%%40ss@h/2""#], []),
      ([#"environment=SMSQ_REDIS="redis://:100%%ab@h""#], ["problem w redis"]),
      ([#"environment=SMSQ_REDIS="redis+sentinel://h1,h2/mymaster/0""#], []),
      ([#"environment=SMSQ_REDIS="redis+sentinel://h1,h2/0""#], ["problem w redis"]),
      ([#"environment=SMSQ_REDIS="redis+sentinel://h1/m",SMSQ_SENTINEL_PASSWORD="s""#], []),
      ([#"environment=SMSQ_REDIS="redis://h1",SMSQ_SENTINEL_PASSWORD="s""#], ["problem w redis"]),
      (["command=smsq worker --redis redis+sentinel://h/m --sentinel-password s"], ["warning program:w command"]),
      (["command=smsq worker --redis redis+cluster://h1,h2/1"], ["problem w redis"]),
    ] as [([String], [String])]
  )
  func finds(lines: [String], expected: [String]) {
    #expect(complaints(lines) == expected)
  }

  // MARK: What supervisord would refuse, or misunderstand

  /// Configurations as people write them, and what is to be said of them: a part of the finding.
  static let refusals: [(lines: String, said: String?)] = [
    // A %: ours is %40 in a password.
    (#"environment=SMSQ_REDIS="redis://:p%40ss@h""#, "bare %"),
    (#"environment=SMSQ_REDIS="redis://:p%2Fss@h""#, "bare %"),
    (#"environment=SMSQ_REDIS="redis://:100%25@h""#, "bare %"),
    (#"environment=A="100%""#, "bare %"), (#"environment=A="100% sure""#, "bare %"),
    (#"environment=SMSQ_REDIS="redis://:p%%40ss@h""#, nil), (#"environment=A="100%%""#, nil),
    ("command=smsq worker --redis redis://:p%40ss@h", "bare %"), ("command=smsq worker --x 5%", "bare %"),
    ("command=smsq worker --x %d", "bare %"), ("command=smsq worker --x 5%%", nil), ("directory=/a%b", "bare %"),
    ("command=smsq worker %(process_num)", "not %(name)s"), ("command=smsq worker %(process_num", "not %(name)s"),
    ("command=smsq worker %(program_name)d", "no number"), ("command=smsq worker %(nope)s", "stands for nothing"),
    ("command=smsq worker %(process_num)02d %(numprocs)d %(process_num)s %(program_name)10s", nil),
    ("command=smsq worker %(host_node_name)s %(group_name)s", nil),
    ("stopwaitsecs=%(process_num)d", "stands for nothing"),
    ("command=smsq worker %(ENV_SMSQ_TEST_NOT_SET)s", "is not set here"), ("command=smsq worker %(ENV_PATH)s", nil),
    ("command=smsq worker %(ENV_A)s\nenvironment=A=1", nil), ("environment=A=1,B=%(ENV_A)s", "is not set here"),
    ("stdout_logfile=/tmp/5%%.log", "bare %"), ("stdout_logfile=/tmp/5%%%%.log", nil), ("unheard_of=5%", nil),
    // environment: what needs quotes.
    ("environment=A=x y", "A is cut short"), ("environment=A=x y,B=1", "what follows A"),
    ("environment=A=x,y", "not KEY=value"),
    (#"environment=A="x y",B="x,y""#, nil), ("environment=A='x,y'", nil), ("environment=A=1,\n  B=2,", nil),
    ("environment=SMSQ_REDIS=redis://127.0.0.1:6379/0", nil),
    ("environment=SMSQ_REDIS=redis://:pass@h:1/0", "what follows SMSQ_REDIS"),
    ("environment=A=unix:///r.sock?db=2", "A is cut short"), ("environment=A=a#b", "A is cut short"),
    ("environment=A=$HOME", "A is cut short"), ("environment=A=50%%", "A is cut short"),
    (#"environment=A="x"y"#, "A is cut short"),
    (#"environment=A="x" B="y""#, "what follows A"), ("environment=A=1;B=2", "A is cut short"),
    ("environment=A=", "what follows A"),
    ("environment=A", "not KEY=value"), ("environment=,A=1", "not KEY=value"),
    ("environment=A=1,,B=2", "not KEY=value"),
    ("environment=A:1", "not KEY=value"), (#"environment=A="x"#, "no end"), (#"environment=A="x ;y""#, "no end"),
    (#"environment=A="x #y""#, "no end"), (#"environment=A="x;y#z""#, nil), ("environment=A=it's", nil),
    (#"environment=A="",B='' "#, nil), (#"environment=A="a\"b""#, "A is cut short"), ("environment=A=ä", nil),
    ("environment=A=äö", "A is cut short"), ("environment=#A=1;", "is cut short"),
    // Others.
    (#"command=smsq worker --name "x"#, "no end"), ("command=smsq worker --name it's", "no end"),
    (#"command=smsq worker --name "x y" --queue 'a'"#, nil), ("command=smsq worker ; a comment", nil),
    ("autostart=maybe", "'maybe'"), ("autostart=Yes", nil), ("stopwaitsecs=4.5", "'4.5'"),
    ("stopwaitsecs=40s", "'40s'"),
    ("startretries=", "''"), ("priority=high", "'high'"), ("numprocs=two", "'two'"),
    ("numprocs=2", "no %(process_num)d"),
    ("process_name=a b", "a space"), ("user=nobody-of-that-name", "'nobody-of-that-name'"), ("user=root", nil),
    ("user=0", nil),
    ("exitcodes=0 64", "'0 64'"), ("exitcodes=0,300", "'0,300'"), ("exitcodes=0, 64,77,78", nil),
    ("stopsignal=FOO", "'FOO'"),
    ("stdout_logfile_maxbytes=5M", "'5M'"), ("stdout_logfile_maxbytes=1.5MB", "'1.5MB'"),
    ("stdout_logfile_maxbytes=5mb", nil),
    ("stdout_logfile_backups=many", "'many'"), ("umask=9", "'9'"), ("umask=022", nil),
    ("autorestart=sometimes", "'sometimes'"),
    ("stopasgroup=true", nil), ("stopasgroup=true\nkillasgroup=false", "stopasgroup=true"),
    ("redirect_stderr=2", "'2'"),
    ("nonsense", "neither [section] nor"),
  ]

  private func said(of lines: String) -> [Finding] {
    let text = "[supervisord]\n[program:w]\ncommand=smsq worker\nstopwaitsecs=40\nexitcodes=0,64,77,78\n" + lines
    let path = FileManager.default.temporaryDirectory.path + "/smsq-\(UUID()).conf"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try? text.write(toFile: path, atomically: true, encoding: .utf8)
    return SupervisorCheck.findings(path: path, drain: .seconds(30)).filter { $0.level > .ok }
  }

  @Test("What supervisord refuses or cuts is said, without a value that may be secret", arguments: refusals)
  func refuses(lines: String, said: String?) {
    let findings = self.said(of: lines).filter {
      !$0.check.hasSuffix(".conf") && $0.found != "contains a password" && !$0.found.hasPrefix("autorestart=")
    }
    let texts = findings.map { "\($0.check): \($0.found) - \($0.hint ?? "")" }
    if let said {
      #expect(texts.count == 1 && texts[0].contains(said), "\(texts)")
      #expect(!texts.joined().contains("p%") && !texts.joined().contains("redis://"))
    } else {
      #expect(texts == [])
    }
  }

  @Test("What may be a piece of a password without quotes is not taken for a variable's name")
  func pieces() {
    for lines in [
      "environment=P=se,cret", "environment=P=x?cret=y z", "environment=se cret=1", "environment=P=a@cret@b",
    ] {
      #expect(!said(of: lines).contains { "\($0)".contains("cret") }, "\(lines)")
    }
  }

  @Test("A % in the environment of [supervisord] is found as well, and its variables are the programs'")
  func common() {
    func said(_ environment: String) -> [String] {
      let text =
        "[supervisord]\nenvironment=\(environment)\n[program:w]\ncommand=smsq worker %(ENV_A)s\nstopwaitsecs=40\n"
      let (sections, _) = SupervisorConfig.sections(of: text + "exitcodes=0,64,77,78\n", file: "w.conf")
      return SupervisorCheck.findings(SupervisorConfig(sections: sections), path: "w.conf", drain: .seconds(30))
        .filter { $0.level > .ok }.map(\.check)
    }
    #expect(said("A=1") == [])
    #expect(said(#"A="%40""#) == ["supervisord environment"])
    #expect(said("A=1 2") == ["supervisord environment"])
    #expect(said("B=1") == ["w command"])
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
    for (file, programs) in [("smsq-worker.conf", 1), ("supervisord.conf", 1), ("cluster.conf", 1)] {
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
