import Glibc
import RedisClient
import Wire

/// What supervisord 4 would refuse to start with, or understand otherwise than it was meant, in the sections of a worker.
///
/// It stops at the first such mistake, names the whole value, password and all, and starts no program, not those either that
/// have nothing wrong. Here each is named, and no value that can hold a password.
enum SupervisorRefusals {
  // MARK: The file

  static func findings(_ lines: [SupervisorConfig.BrokenLine]) -> [Finding] {
    lines.map { line in
      let hint = "supervisord does not start with it; a line that goes on begins with a space, a comment with ;"
      return Finding("\(line.file) line \(line.number)", .problem, "is neither [section] nor option=value", hint: hint)
    }
  }

  /// - Returns: the variables of `[supervisord]`'s own environment, which all programs get, and what is wrong with them.
  static func common(_ config: SupervisorConfig) -> (environment: [String: String], findings: [Finding]) {
    guard let text = config.sections.last(where: { $0.name == "supervisord" })?.options["environment"] else {
      return ([:], [])
    }
    let (expanded, faults) = SupervisorFormat.expand(text, SupervisorProgram.host)
    let environment = SupervisorEnvironment(expanded)
    let check = "supervisord environment"
    if !faults.isEmpty { return (environment.pairs, findings(check, faults)) }
    return (environment.pairs, environment.fault.map { [finding(check, $0)] } ?? [])
  }

  // MARK: A program

  /// How supervisord reads an option of a program.
  private enum Kind {
    case integer, boolean, bytes, octal, exitCodes, restart, user, signal
    /// As it stands, once it is expanded.
    case text
  }

  private static let kinds: [(String, Kind)] = [
    ("command", .text), ("environment", .text), ("process_name", .text), ("directory", .text), ("serverurl", .text),
    ("numprocs", .integer), ("numprocs_start", .integer), ("priority", .integer),
    ("autostart", .boolean), ("autorestart", .restart), ("startsecs", .integer), ("startretries", .integer),
    ("exitcodes", .exitCodes), ("stopsignal", .signal), ("stopwaitsecs", .integer), ("stopasgroup", .boolean),
    ("killasgroup", .boolean), ("user", .user), ("umask", .octal), ("redirect_stderr", .boolean),
    ("stdout_logfile", .text), ("stdout_logfile_maxbytes", .bytes), ("stdout_logfile_backups", .integer),
    ("stdout_capture_maxbytes", .bytes), ("stdout_events_enabled", .boolean), ("stdout_syslog", .boolean),
    ("stderr_logfile", .text), ("stderr_logfile_maxbytes", .bytes), ("stderr_logfile_backups", .integer),
    ("stderr_capture_maxbytes", .bytes), ("stderr_events_enabled", .boolean), ("stderr_syslog", .boolean),
  ]

  static func findings(_ program: SupervisorProgram) -> [Finding] {
    var found: [Finding] = []
    for (option, kind) in kinds {
      let check = "\(program.name) \(option)"
      guard let value = program.option(option) else { continue }
      let faults = program.faults(option)
      if !faults.isEmpty {
        found += findings(check, faults)
      } else if let wanted = complaint(value, kind) {
        found.append(
          Finding(check, .problem, "'\(value)'", hint: "supervisord does not start with it; write \(wanted)")
        )
      }
    }
    return found + environment(program) + command(program) + processName(program) + groups(program)
  }

  private static func environment(_ program: SupervisorProgram) -> [Finding] {
    guard program.faults("environment").isEmpty, let fault = program.ownEnvironment().fault else { return [] }
    return [finding("\(program.name) environment", fault)]
  }

  private static func command(_ program: SupervisorProgram) -> [Finding] {
    if SupervisorProgram.words(program.option("command") ?? "").isComplete { return [] }
    let hint = "supervisord cannot start it; close the quote (a ; or # behind a space begins a comment, in quotes too)"
    return [Finding("\(program.name) command", .problem, "a quote has no end", hint: hint)]
  }

  private static func processName(_ program: SupervisorProgram) -> [Finding] {
    let check = "\(program.name) process_name"
    let name = program.unexpanded("process_name") ?? "%(program_name)s"
    let hint = "supervisord does not start with it; write process_name=%(program_name)s-%(process_num)d"
    if (program.number("numprocs", default: 1) ?? 1) > 1 && !name.contains("%(process_num)") {
      return [Finding(check, .problem, "has no %(process_num)d, with numprocs over 1", hint: hint)]
    }
    if name.contains(where: { " :/".contains($0) }) {
      return [Finding(check, .problem, "'\(name)' has a space, : or / in it", hint: hint)]
    }
    return []
  }

  private static func groups(_ program: SupervisorProgram) -> [Finding] {
    let stop = program.option("stopasgroup")?.lowercased() ?? "false"
    let kill = program.option("killasgroup")?.lowercased() ?? stop
    guard truthy.contains(stop), falsy.contains(kill) else { return [] }
    let hint = "supervisord does not start with stopasgroup=true and killasgroup=false; write both false"
    return [Finding("\(program.name) killasgroup", .problem, kill, hint: hint)]
  }

  // MARK: Values

  private static let truthy: Set = ["yes", "true", "on", "1"]
  private static let falsy: Set = ["no", "false", "off", "0"]

  /// - Returns: what to write instead, where supervisord does not take the value.
  private static func complaint(_ value: String, _ kind: Kind) -> String? {
    let lower = value.lowercased()
    switch kind {
    case .text:
      return nil
    case .integer:
      return Int(value) == nil ? "a whole number" : nil
    case .boolean:
      return truthy.contains(lower) || falsy.contains(lower) ? nil : "true or false"
    case .restart:
      let isKnown = truthy.contains(lower) || falsy.contains(lower) || lower == "unexpected"
      return isKnown ? nil : "autorestart=unexpected"
    case .bytes:
      let isSuffixed = ["kb", "mb", "gb"].contains { lower.hasSuffix($0) }
      return Int((isSuffixed ? String(lower.dropLast(2)) : lower).trimmed()) == nil
        ? "a whole number of bytes, KB, MB or GB" : nil
    case .octal:
      return Int(value, radix: 8) == nil ? "an octal number, as 022" : nil
    case .exitCodes:
      let codes = value.split(separator: ",", omittingEmptySubsequences: false).map { Int(String($0).trimmed()) }
      return value.isEmpty || codes.allSatisfy { $0.map { (0...255).contains($0) } == true } ? nil : "0,64,77,78"
    case .user:
      let isKnown = uid_t(value).map { getpwuid($0) != nil } ?? (getpwnam(value) != nil)
      return isKnown ? nil : "a user of this host"
    case .signal:
      return SupervisorSignal.name(of: value) == nil ? "TERM" : nil
    }
  }

  // MARK: Words

  private static func findings(_ check: String, _ faults: [SupervisorFormat.Fault]) -> [Finding] {
    Set(faults).sorted { "\($0)" < "\($1)" }.map { fault in
      let refused = "supervisord does not start with it"
      switch fault {
      case .bare:
        let hint = "supervisord does not start, or puts all its variables there; write %% for each %"
        return Finding(check, .problem, "has a bare %", hint: hint)
      case .incomplete:
        let hint = "\(refused); write %(name)s, and %% for a %"
        return Finding(check, .problem, "has a %( that is not %(name)s or %(process_num)d", hint: hint)
      case .noNumber(let name):
        return Finding(check, .problem, "%(\(name))d is no number", hint: "\(refused); write %(\(name))s")
      case .unknown(let name) where name.hasPrefix("ENV_"):
        let hint = "supervisord does not start unless its own environment has \(name.dropFirst(4))"
        return Finding(check, .warning, "%(\(name))s is not set here", hint: hint)
      case .unknown(let name):
        let hint =
          "\(refused); it knows program_name, process_num, numprocs, group_name, host_node_name, here and ENV_..."
        return Finding(check, .problem, "%(\(name)) stands for nothing here", hint: hint)
      }
    }
  }

  private static func finding(_ check: String, _ fault: SupervisorEnvironment.Fault) -> Finding {
    let remedy = #"write KEY="value",OTHER="value""#
    switch fault {
    case .unclosedQuote:
      let hint = "supervisord does not start with it; a ; or # behind a space begins a comment, in quotes too"
      return Finding(check, .problem, "a quote has no end", hint: hint)
    case .noPair(let key):
      let found = key.map { "what follows \($0)= is not one value" } ?? "has something that is not KEY=value"
      return Finding(
        check,
        .problem,
        found,
        hint: "supervisord does not start with it; \(remedy), in quotes and with commas"
      )
    case .cut(let key):
      let hint = "supervisord drops what follows; \(remedy), with nothing but a comma behind the quotes"
      return Finding(check, .problem, "\(key.map { "the value of \($0)" } ?? "a value") is cut short", hint: hint)
    }
  }
}

/// The signals that a worker understands, as a configuration may name them.
enum SupervisorSignal {
  private static let numbers: [Int: String] = [
    Int(SIGHUP): "HUP", Int(SIGINT): "INT", Int(SIGQUIT): "QUIT", Int(SIGKILL): "KILL", Int(SIGUSR1): "USR1",
    Int(SIGUSR2): "USR2", Int(SIGTERM): "TERM", Int(SIGTSTP): "TSTP", Int(SIGSTOP): "STOP", Int(SIGCONT): "CONT",
    Int(SIGABRT): "ABRT", Int(SIGALRM): "ALRM", Int(SIGPIPE): "PIPE", Int(SIGWINCH): "WINCH",
  ]

  /// Its name without SIG; nil for what is no signal.
  static func name(of value: String) -> String? {
    if let number = Int(value) { return numbers[number] ?? ((1...64).contains(number) ? value : nil) }
    let upper = value.uppercased()
    let name = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
    return numbers.values.contains(name) ? name : nil
  }
}
