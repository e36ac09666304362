import Glibc
import Wire

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A supervisord configuration as supervisord 4 reads it (Python's configparser), with the files that it includes.
struct SupervisorConfig {
  struct Section: Equatable {
    let name: String
    /// The file that it stands in.
    let file: String
    var options: [String: String] = [:]

    /// `smsq-worker` of `[program:smsq-worker]`; nil for any other section.
    var program: String? { name.hasPrefix("program:") ? String(name.dropFirst("program:".count)) : nil }
  }

  /// A file could not be read.
  struct Unreadable: Error { let path: String }

  /// A line that is neither a section, an option, nor part of one. supervisord does not start with it.
  struct BrokenLine: Equatable {
    let file: String
    /// Counted from 1.
    let number: Int
  }

  private(set) var sections: [Section]
  private(set) var brokenLines: [BrokenLine] = []

  init(sections: [Section]) { self.sections = sections }

  /// - Throws: ``Unreadable``.
  init(path: String) throws(Unreadable) {
    sections = []
    try read(path)
    guard let patterns = sections.first(where: { $0.name == "include" })?.options["files"] else { return }
    // What is included can include nothing more.
    for pattern in patterns.split(whereSeparator: \.isWhitespace) {
      let isAbsolute = pattern.hasPrefix("/")
      for file in Self.files(matching: isAbsolute ? String(pattern) : Self.folder(of: path) + "/" + pattern) {
        try read(file)
      }
    }
  }

  private mutating func read(_ path: String) throws(Unreadable) {
    guard let contents = FileManager.default.contents(atPath: path) else { throw Unreadable(path: path) }
    let (sections, brokenLines) = Self.sections(of: String(decoding: contents, as: UTF8.self), file: path)
    self.sections += sections
    self.brokenLines += brokenLines
  }

  /// Reads one file's text.
  static func sections(of text: String, file: String) -> ([Section], [BrokenLine]) {
    var sections: [Section] = []
    var brokenLines: [BrokenLine] = []
    var option: String?
    var indent = 0
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (index, line) in lines.enumerated() {
      let content = withoutComment(line).trimmed()
      if content.isEmpty { continue }
      let lineIndent = line.prefix { $0.isWhitespace }.count
      if let option, lineIndent > indent {
        sections[sections.count - 1].options[option]! += "\n" + content
        continue
      }
      indent = lineIndent
      option = nil
      if content.hasPrefix("["), let end = content.lastIndex(of: "]") {
        sections.append(Section(name: String(content[content.index(after: content.startIndex)..<end]), file: file))
      } else if !sections.isEmpty, let mark = content.firstIndex(where: { $0 == "=" || $0 == ":" }) {
        let name = String(content[..<mark]).trimmed().lowercased()
        let value = String(content[content.index(after: mark)...]).trimmed()
        sections[sections.count - 1].options[name] =
          value.replacing("%(here)s", with: folder(of: file))
        option = name
      } else {
        brokenLines.append(BrokenLine(file: file, number: index + 1))
      }
    }
    return (sections, brokenLines)
  }

  /// A comment begins with `;` or `#`, at the beginning of a line or behind a space.
  private static func withoutComment(_ line: Substring) -> String {
    var isBehindSpace = true
    let end = line.firstIndex { character in
      defer { isBehindSpace = character.isWhitespace }
      return isBehindSpace && (character == ";" || character == "#")
    }
    return String(line[..<(end ?? line.endIndex)])
  }

  private static func folder(of path: String) -> String {
    let absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    return absolute.lastIndex(of: "/").map { String(absolute[..<$0]) } ?? "."
  }

  private static func files(matching pattern: String) -> [String] {
    var found = glob_t()
    defer { globfree(&found) }
    guard glob(pattern, 0, nil, &found) == 0 else { return [] }
    return (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }
  }
}
