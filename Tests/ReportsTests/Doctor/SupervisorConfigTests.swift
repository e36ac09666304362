import Foundation
import Testing

@testable import Reports

@Suite("Supervisor configuration")
struct SupervisorConfigTests {
  private func program(_ lines: String...) -> SupervisorProgram? {
    let text = "[program:w]\n" + lines.joined(separator: "\n")
    return SupervisorProgram(SupervisorConfig.sections(of: text, file: "/etc/w.conf").0[0])
  }

  @Test("Sections, options, comments and continued lines are read as supervisord reads them")
  func sections() {
    let text = """
      ; a comment
      [program:one] ; another
      Command = smsq worker   ; a third
        --drain 10s
        # a fourth

        --queue otp;sms
      autostart: true
      directory=%(here)s/run

      [group:sms]\r
      programs=one\r
      """
    let (sections, brokenLines) = SupervisorConfig.sections(of: text, file: "/etc/supervisor/w.conf")
    #expect(brokenLines == [])
    #expect(
      sections == [
        .init(
          name: "program:one",
          file: "/etc/supervisor/w.conf",
          options: [
            "command": "smsq worker\n--drain 10s\n--queue otp;sms", "autostart": "true",
            "directory": "/etc/supervisor/run",
          ]
        ),
        .init(name: "group:sms", file: "/etc/supervisor/w.conf", options: ["programs": "one"]),
      ]
    )
  }

  @Test("A line that is nothing is named, with its number")
  func brokenLines() {
    let text = "an=option\n\n; c\n[program:w]\ncommand\ncommand=smsq worker\n  and more\n\nnonsense here ; c\n"
    let (sections, brokenLines) = SupervisorConfig.sections(of: text, file: "w.conf")
    #expect(brokenLines.map(\.number) == [1, 5, 9])
    #expect(sections.map(\.options) == [["command": "smsq worker\nand more"]])
  }

  @Test(
    "What runs a worker is found",
    arguments: [
      ("/usr/local/bin/smsq worker --drain 10s", ["--drain", "10s"]),
      ("\"/path with spaces/smsq\" worker", []),
      ("sh -c 'exec nice smsq worker --queue otp'", ["--queue", "otp"]),
      ("smsq push", nil),
      ("smsq-old worker", nil),
      ("echo worker smsq", nil),
      ("", nil),
    ] as [(String, [String]?)]
  )
  func commands(command: String, arguments: [String]?) {
    #expect(program("command=\(command)")?.workerArguments() == arguments)
  }

  @Test("An option of the worker comes from the command line, or else from the environment")
  func options() throws {
    let command = "command=smsq worker --drain=10s --drain 20s"
    let environment = "environment=A=\"x,y\",SMSQ_DRAIN=\"40s\",SMSQ_WAKE_TIMEOUT=1s"
    #expect(try #require(program(command, environment)).workerOption("drain") == "20s")
    let other = try #require(program("command=smsq worker --drain", environment))
    #expect(other.workerOption("drain") == "40s")
    #expect(other.workerOption("wake-timeout") == "1s")
    #expect(other.workerOption("name") == nil)
    #expect(other.environment() == ["A": "x,y", "SMSQ_DRAIN": "40s", "SMSQ_WAKE_TIMEOUT": "1s"])
  }

  @Test("Expansions are those of each process")
  func expansions() throws {
    let expanded = try #require(
      program("command=smsq worker --name %(program_name)s-%(process_num)02d-100%%-%(unknown)s", "numprocs=2")
    )
    #expect(expanded.workerOption("name") == "w-00-100%-%(unknown)s")
    #expect(expanded.workerOption("name", process: 12) == "w-12-100%-%(unknown)s")
  }

  @Test("Included files are read, relative to the file that includes them")
  func includes() throws {
    let folder = FileManager.default.temporaryDirectory.path + "/smsq-\(UUID())"
    try FileManager.default.createDirectory(atPath: folder + "/conf.d", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let main = "[include]\nfiles=conf.d/*.conf \(folder)/other.ini none/*\n[supervisord]\n"
    let files = ["main.conf": main, "conf.d/a.conf": "[program:a]\n", "other.ini": "[program:o]\ndirectory=%(here)s\n"]
    for (name, text) in files { try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8) }

    let config = try SupervisorConfig(path: "\(folder)/main.conf")
    #expect(config.sections.map(\.name) == ["include", "supervisord", "program:a", "program:o"])
    #expect(config.sections[3].options == ["directory": folder])
    #expect(throws: SupervisorConfig.Unreadable.self) { try SupervisorConfig(path: "\(folder)/none.conf") }
  }
}
