import Glibc

/// One `[program:...]` that runs `smsq worker`, as its processes will see it.
struct SupervisorProgram {
  let name: String
  private let options: [String: String]
  /// Variables that all programs get, from `[supervisord]`.
  private let common: [String: String]

  /// - Returns: nil for a section that runs something else.
  init?(_ section: SupervisorConfig.Section, common environment: String = "") {
    guard let program = section.program else { return nil }
    name = program
    options = section.options
    common = Self.pairs(environment)
    if workerArguments() == nil { return nil }
  }

  /// An option with its `%(...)` expanded for one process; nil where it is not given.
  func option(_ name: String, process: Int = 0) -> String? {
    options[name].map { expanded($0, process: process) }
  }

  func number(_ name: String, default value: Int) -> Int? {
    option(name).map { Int($0) } ?? value
  }

  /// What a process of it finds in its environment, as far as the configuration says.
  func environment(process: Int = 0) -> [String: String] {
    common.merging(Self.pairs(option("environment", process: process) ?? "")) { $1 }
  }

  /// What follows `smsq worker` on the command line; nil for another program.
  func workerArguments(process: Int = 0) -> [String]? {
    // A shell's command is one word in quotes, which holds words of its own.
    let words = Self.words(option("command", process: process) ?? "").flatMap { word in
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
    let variable = EnvironmentArguments.prefix + name.uppercased().replacing("-", with: "_")
    return environment(process: process)[variable]
  }

  /// Puts in what supervisord puts in for `%(name)s` and `%(process_num)02d`; leaves what it does not know.
  private func expanded(_ text: String, process: Int) -> String {
    let values = [
      "program_name": name, "group_name": name, "process_num": "\(process)", "numprocs": options["numprocs"] ?? "1",
      "host_node_name": Self.hostName,
    ]
    return text.replacing(/%(?:%|\((\w+)\)(0\d+)?[sd])/) { match -> String in
      guard let name = match.output.1 else { return "%" }
      let variable = name.hasPrefix("ENV_") ? getenv(String(name.dropFirst(4))).map { String(cString: $0) } : nil
      guard let value = values[String(name)] ?? variable else { return String(match.output.0) }
      let width = match.output.2.flatMap { Int($0) } ?? 0
      return String(repeating: "0", count: max(0, width - value.count)) + value
    }
  }

  private static var hostName: String {
    var buffer = [CChar](repeating: 0, count: 256)
    gethostname(&buffer, buffer.count - 1)
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Words as a shell splits them (Python's shlex): quotes of both kinds, and backslashes outside of single ones.
  static func words(_ text: String) -> [String] {
    var words: [String] = []
    var word: String?
    var quote: Character?
    var isEscaped = false
    for character in text {
      if isEscaped {
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
    return words + (word.map { [$0] } ?? [])
  }

  /// `KEY="value",KEY2=value2`, as `environment` has it.
  static func pairs(_ text: String) -> [String: String] {
    var pairs: [String: String] = [:]
    var quote: Character?
    let parts = text.split { character in
      if character == quote {
        quote = nil
      } else if quote == nil && (character == "\"" || character == "'") {
        quote = character
      }
      return quote == nil && character == ","
    }
    for part in parts {
      let sides = part.split(separator: "=", maxSplits: 1).map { String($0).trimmed() }
      if sides.count == 2 { pairs[sides[0]] = String(sides[1].trimming { $0 == "\"" || $0 == "'" }) }
    }
    return pairs
  }
}

extension String {
  fileprivate func trimming(_ isOutside: (Character) -> Bool) -> Substring {
    var rest = self[...]
    while let first = rest.first, isOutside(first) { rest.removeFirst() }
    while let last = rest.last, isOutside(last) { rest.removeLast() }
    return rest
  }
}
