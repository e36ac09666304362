import Foundation
import TestSupport
import Testing

@testable import Worker

@Suite("Process identity")
struct ProcessIdentityTests {
  @Test("This process is there, and says the same of itself each time")
  func own() throws {
    let own = try #require(ProcessIdentity.own)
    #expect(own.wholeMatch(of: /[0-9a-f]{8}\.\d+\.\d+/) != nil)
    #expect(ProcessIdentity.own == own)
    #expect(!ProcessIdentity.isGone(own))
  }

  @Test("A process is gone when nobody has its pid, when another has it, and when only its parent remembers it")
  func gone() async throws {
    let own = try #require(ProcessIdentity.own).split(separator: ".")
    #expect(ProcessIdentity.isGone("\(own[0]).\(own[1]).1"))
    // A shell that starts a program and becomes one that never asks for it.
    let parent = try ChildProcess("sh", ["-c", "sleep 60 & echo $!; exec sleep 60"])
    try await eventually("it is started") { !parent.lines.isEmpty }
    let pid = try #require(Int32(parent.lines[0]))
    let stat = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
    let start = try #require(stat.split(separator: ")").last?.split(separator: " ").dropFirst(19).first)
    let child = "\(own[0]).\(pid).\(start)"
    #expect(!ProcessIdentity.isGone(child))
    kill(pid, SIGKILL)
    try await eventually("it is gone") { ProcessIdentity.isGone(child) }
    #expect(kill(pid, 0) == 0, "its parent has asked for it")
    parent.send(SIGKILL)
    _ = try await parent.end()
  }

  @Test(
    "Of a process on another host, or in another container, nothing is known, nor of what is no process",
    arguments: ["00000000.1.1", "", ".", "..", "x", "00000000.1", "00000000.1.1.1"]
  )
  func unknown(identity: String) { #expect(!ProcessIdentity.isGone(identity)) }

  @Test("A pid that is none is nobody's", arguments: ["0", "-1", "x", "", "99999999999"])
  func noPID(pid: String) throws {
    let host = try #require(ProcessIdentity.own).prefix(8)
    #expect(!ProcessIdentity.isGone("\(host).\(pid).1"))
  }
}
