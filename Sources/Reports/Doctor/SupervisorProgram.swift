import Foundation

/// One `[program:...]` that runs `smsq worker`, as its processes will see it.
struct SupervisorProgram {
  let name: String
  private let options: [String: String]
  /// Variables that all programs get, from `[supervisord]`.
  private let common: [String: String]

  /// - Returns: nil for a section that runs something else.
  init?(_ section: SupervisorConfig.Section, common environment: [String: String] = [:]) {
    guard let program = section.program else { return nil }
    name = program
    options = section.options
    common = environment
    if workerArguments() == nil { return nil }
  }

  /// An option with its `%(...)` expanded for one process; nil where it is not given.
  func option(_ name: String, process: Int = 0) -> String? { expanded(name, process: process)?.text }

  /// An option as it stands in the file.
  func unexpanded(_ name: String) -> String? { options[name] }

  /// What supervisord would not expand in an option.
  func faults(_ name: String) -> [SupervisorFormat.Fault] { expanded(name, process: 0)?.faults ?? [] }

  func number(_ name: String, default value: Int) -> Int? {
    option(name).map { Int($0) } ?? value
  }

  /// What a process of it finds in its environment, as far as the configuration says.
  func environment(process: Int = 0) -> [String: String] {
    common.merging(ownEnvironment(process: process).pairs) { $1 }
  }

  func ownEnvironment(process: Int = 0) -> SupervisorEnvironment {
    SupervisorEnvironment(option("environment", process: process) ?? "")
  }

  /// What follows `smsq worker` on the command line; nil for another program.
  func workerArguments(process: Int = 0) -> [String]? {
    // A shell's command is one word in quotes, which holds words of its own.
    let words = Self.words(option("command", process: process) ?? "").words.flatMap { word in
      word.split(whereSeparator: \.isWhitespace).map(String.init)
    }
    let binary = words.indices.first { index in
      words[index].split(separator: "/").last == "smsq" && words[(index + 1)...].first == "worker"
    }
    return binary.map { Array(words[($0 + 2)...]) }
  }

  /// The value of one of the worker's options: from the command line, or else from its variable.
  func workerOption(_ name: String, process: Int = 0) -> String? {
    let arguments = workerArguments(process: process) ?? []
    for (index, argument) in arguments.enumerated().reversed() {
      if argument.hasPrefix("--\(name)=") { return String(argument.dropFirst(name.count + 3)) }
      if argument == "--\(name)", index + 1 < arguments.count { return arguments[index + 1] }
    }
    return environment(process: process)[OptionVariable.name(of: name)]
  }

  /// Those that supervisord reads once for each process, and so with its number.
  private static let ofProcess: Set = [
    "environment", "directory", "command", "process_name", "stdout_logfile", "stderr_logfile",
  ]

  private func expanded(_ option: String, process: Int) -> (text: String, faults: [SupervisorFormat.Fault])? {
    guard let text = options[option] else { return nil }
    var values = Self.host
    values["program_name"] = .text(name)
    values["group_name"] = .text(name)
    for (variable, value) in common { values["ENV_\(variable)"] = .text(value) }
    if Self.ofProcess.contains(option) {
      values["process_num"] = .number(process)
      values["numprocs"] = .number(Int(options["numprocs"] ?? "1") ?? 1)
      if option != "environment" {
        for (variable, value) in ownEnvironment(process: process).pairs { values["ENV_\(variable)"] = .text(value) }
      }
    }
    let first = SupervisorFormat.expand(text, values)
    // supervisord expands the names of logs twice: a % in one is %%%%.
    guard option.hasSuffix("_logfile"), first.faults.isEmpty else { return first }
    return SupervisorFormat.expand(first.text, values)
  }

  /// What all sections may use: this host's name and, for want of supervisord's own, our environment.
  static let host: [String: SupervisorFormat.Value] = {
    var values: [String: SupervisorFormat.Value] = ["host_node_name": .text(hostName)]
    for (name, value) in ProcessInfo.processInfo.environment { values["ENV_\(name)"] = .text(value) }
    return values
  }()

  private static var hostName: String {
    var buffer = [CChar](repeating: 0, count: 256)
    gethostname(&buffer, buffer.count - 1)
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Words as a shell splits them (Python's shlex): quotes of both kinds, and backslashes outside of single ones.
  ///
  /// - Returns: also whether the last quote or backslash has what it asks for; if not, supervisord starts nothing.
  static func words(_ text: String) -> (words: [String], isComplete: Bool) {
    var words: [String] = []
    var word: String?
    var quote: Character?
    var isEscaped = false
    for character in text {
      if isEscaped {
        // Between quotes it is only for these two, and else a character like another.
        if let quote, character != quote && character != "\\" { word?.append("\\") }
        word = (word ?? "") + String(character)
        isEscaped = false
      } else if character == "\\" && quote != "'" {
        isEscaped = true
      } else if let open = quote {
        if character == open { quote = nil } else { word?.append(character) }
      } else if character == "\"" || character == "'" {
        quote = character
        word = word ?? ""
      } else if character.isWhitespace {
        if let ended = word { words.append(ended) }
        word = nil
      } else {
        word = (word ?? "") + String(character)
      }
    }
    return (words + (word.map { [$0] } ?? []), quote == nil && !isEscaped)
  }
}
