import Glibc
import RedisClient
import Wire

/// What a supervisord configuration does to a worker that it runs: docs/operations.md gives the reasons.
package enum SupervisorCheck {
  /// - Parameter drain: that of a worker whose command line and environment name none.
  package static func findings(path: String, drain: Duration) -> [Finding] {
    let config: SupervisorConfig
    do {
      config = try SupervisorConfig(path: path)
    } catch {
      let hint = "is the path right, and may this user read it?"
      return [Finding("supervisor", .problem, "cannot read \(error.path)", hint: hint)]
    }
    return findings(config, path: path, drain: drain)
  }

  static func findings(_ config: SupervisorConfig, path: String, drain: Duration) -> [Finding] {
    let (common, ofAll) = SupervisorRefusals.common(config)
    let programs = config.sections.compactMap { SupervisorProgram($0, common: common) }
    var findings = SupervisorRefusals.findings(config.brokenLines) + ofAll + secrets(config)
    if programs.isEmpty {
      findings.append(Finding("supervisor", .warning, "no program of \(path) runs smsq worker"))
    }
    for program in programs {
      let refusals = SupervisorRefusals.findings(program)
      let rest =
        [stopWait(program, drain), stopSignal(program), exitCodes(program)] + names(program) + logs(program)
      findings += refusals + rest.filter { finding in !refusals.contains { $0.check == finding.check } }
      if refusals.isEmpty { findings += url(program) }
    }
    return findings
  }

  /// A worker does not start with a URL that it cannot read, nor with files for TLS that it cannot use.
  private static func url(_ program: SupervisorProgram) -> [Finding] {
    guard let url = program.workerOption("redis") else { return [] }
    let check = "\(program.name) redis"
    do {
      return sentinelLogin(program, try RedisEndpoint(url), check) + files(program, try RedisEndpoint(url), check)
    } catch {
      let found = "the worker would end with 64: \(error)"
      return [Finding(check, .problem, found, hint: "in this file, write each % as %%")]
    }
  }

  private static func sentinelLogin(
    _ program: SupervisorProgram,
    _ endpoint: RedisEndpoint,
    _ check: String
  ) -> [Finding] {
    if case .sentinels = endpoint.place { return [] }
    let option = ["sentinel-password", "sentinel-user"].first { program.workerOption($0) != nil }
    guard let option else { return [] }
    let found = "the worker would end with 64: \(option) is given, and the URL names no sentinels"
    return [Finding(check, .problem, found, hint: "write redis+sentinel://h1,h2,h3/mymaster/0")]
  }

  private static func files(_ program: SupervisorProgram, _ endpoint: RedisEndpoint, _ check: String) -> [Finding] {
    guard var tls = endpoint.tls else { return [] }
    tls.caFile = program.workerOption("redis-ca")
    tls.certificateFile = program.workerOption("redis-cert")
    tls.keyFile = program.workerOption("redis-key")
    do {
      try tls.check()
      return []
    } catch {
      return [Finding(check, .problem, "the worker would end: \(error)")]
    }
  }

  // MARK: Stopping and starting

  private static func stopWait(_ program: SupervisorProgram, _ standard: Duration) -> Finding {
    let check = "\(program.name) stopwaitsecs"
    guard let seconds = program.number("stopwaitsecs", default: 10) else {
      return Finding(check, .problem, "'\(program.option("stopwaitsecs")!)'", hint: "write a number of seconds")
    }
    var drain = standard
    if let given = program.workerOption("drain") {
      guard let duration = try? Duration(notation: given) else {
        return Finding(check, .problem, "--drain is '\(given)'", hint: "write it as 30s")
      }
      drain = duration
    }
    let found = "\(seconds), with --drain \(drain.notation)"
    // What is given back at the end of the drain time takes a moment, too.
    let least = Int(drain.components.seconds) + 5
    if .seconds(seconds) <= drain {
      return Finding(check, .problem, found, hint: "it kills workers that still finish; make it \(least) or more")
    }
    if seconds < least { return Finding(check, .warning, found, hint: "that is short; make it \(least) or more") }
    return Finding(check, .ok, found)
  }

  private static func stopSignal(_ program: SupervisorProgram) -> Finding {
    let check = "\(program.name) stopsignal"
    let signal = program.option("stopsignal") ?? "TERM"
    if ["TERM", "INT"].contains(SupervisorSignal.name(of: signal)) { return Finding(check, .ok, signal) }
    let hint = "only TERM and INT let a worker finish what it has in hand; write stopsignal=TERM"
    return Finding(check, .problem, signal, hint: hint)
  }

  private static func exitCodes(_ program: SupervisorProgram) -> Finding {
    let check = "\(program.name) exitcodes"
    let restart = program.option("autorestart")?.lowercased() ?? "unexpected"
    let remedy = "write autorestart=unexpected and exitcodes=0,64,77,78"
    if restart != "unexpected" {
      let isOff = ["false", "no", "off", "0"].contains(restart)
      let hint = isOff ? "a crashed worker stays down" : "a worker with wrong options is started again and again"
      return Finding(check, .warning, "autorestart=\(restart)", hint: "\(hint); \(remedy)")
    }
    let text = program.option("exitcodes") ?? "0"
    let codes = Set(text.split(separator: ",").compactMap { Int(String($0).trimmed()) })
    let stayDown = codes.intersection([70, 75])
    if !stayDown.isEmpty {
      return Finding(check, .problem, text, hint: "a worker that ends with 70 or 75 must be started again; \(remedy)")
    }
    let missing = [0, 64, 77, 78].filter { !codes.contains($0) }
    if missing.isEmpty { return Finding(check, .ok, text) }
    let list = missing.map(String.init).joined(separator: ", ")
    return Finding(check, .warning, text, hint: "\(list): another start would end the same way; \(remedy)")
  }

  /// Two processes must share neither a worker's name nor a log.
  private static func names(_ program: SupervisorProgram) -> [Finding] {
    guard (program.number("numprocs", default: 1) ?? 1) > 1 else { return [] }
    guard let name = program.workerOption("name"), name == program.workerOption("name", process: 1) else { return [] }
    let hint = "the newer worker ends the older one; put %(process_num)d into it"
    return [Finding("\(program.name) name", .problem, "all its processes are called \(name)", hint: hint)]
  }

  // MARK: Logs

  private static func logs(_ program: SupervisorProgram) -> [Finding] {
    ["stdout", "stderr"].flatMap { stream -> [Finding] in
      let check = "\(program.name) \(stream)_logfile"
      guard let path = program.option("\(stream)_logfile") else { return [] }
      if ["auto", "none", "off", "syslog"].contains(path.lowercased()) { return [] }
      return [size(program, stream, path: path), place(check, path)] + shared(program, stream, check, path)
    }
  }

  private static func size(_ program: SupervisorProgram, _ stream: String, path: String) -> Finding {
    let check = "\(program.name) \(stream)_logfile_maxbytes"
    let text = program.option("\(stream)_logfile_maxbytes") ?? "50MB"
    let isZero = text.allSatisfy { $0 == "0" }
    if path.hasPrefix("/dev/") {
      if isZero { return Finding(check, .ok, text) }
      return Finding(check, .problem, "\(text) for \(path)", hint: "supervisord cannot rotate that; write 0")
    }
    if isZero { return Finding(check, .warning, "0", hint: "the log grows without bound; write 50MB") }
    return Finding(check, .ok, text)
  }

  private static func place(_ check: String, _ path: String) -> Finding {
    let end = path.lastIndex(of: "/")
    let folder = end.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    var status = stat()
    guard stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      let hint = "supervisord does not start with it; mkdir -p \(folder)"
      return Finding(check, .problem, "there is no directory \(folder)", hint: hint)
    }
    if path.hasPrefix("/dev/") || access(folder, W_OK) == 0 { return Finding(check, .ok, path) }
    // supervisord opens the logs, not the program's user, and it is mostly root.
    let hint = "harmless where supervisord runs as another user, such as root"
    return Finding(check, .warning, "this user may not write into \(folder)", hint: hint)
  }

  private static func shared(_ program: SupervisorProgram, _ stream: String, _ check: String, _ path: String)
    -> [Finding]
  {
    let isShared =
      (program.number("numprocs", default: 1) ?? 1) > 1 && !path.hasPrefix("/dev/")
      && path == program.option("\(stream)_logfile", process: 1)
    if !isShared { return [] }
    let hint = "processes that share a file corrupt it; put %(process_num)d into its name"
    return [Finding(check, .problem, "all processes write \(path)", hint: hint)]
  }

  // MARK: Secrets

  /// A password must not be readable for everybody, in the file or in the process list.
  private static func secrets(_ config: SupervisorConfig) -> [Finding] {
    var findings: [Finding] = []
    var checked: Set<String> = []
    for section in config.sections {
      if section.options["command"].map(hasPassword) == true {
        let hint =
          "everybody on this host sees it in the process list; put the URL into environment=SMSQ_REDIS"
          + ", and the sentinels' password into SMSQ_SENTINEL_PASSWORD"
        findings.append(Finding("\(section.name) command", .warning, "contains a password", hint: hint))
      }
      guard section.options.contains(where: { $0 == "password" || hasPassword($1) }) else { continue }
      guard checked.insert(section.file).inserted else { continue }
      var status = stat()
      let isOpen = stat(section.file, &status) == 0 && status.st_mode & S_IROTH != 0
      let hint = isOpen ? "everybody on this host may read it; chmod 600 \(section.file)" : nil
      findings.append(Finding(section.file, isOpen ? .problem : .ok, "contains a password", hint: hint))
    }
    return findings
  }

  private static func hasPassword(_ text: String) -> Bool {
    if let value = text.firstMatch(of: /SMSQ_SENTINEL_PASSWORD="?([^",]+)|--sentinel-password[ =]"?([^" ]+)/) {
      if !(value.1 ?? value.2 ?? "").hasPrefix("%(ENV_") { return true }
    }
    return text.split { $0.isWhitespace || "\"',".contains($0) }.contains { word in
      // What cannot be read as a URL may hold a password all the same.
      guard let login = word.firstMatch(of: /[a-z]+:\/\/[^:@]*:(.+)@/) else { return false }
      // What stands for a variable gives nothing away.
      return !login.1.contains("%(ENV_")
    }
  }
}
