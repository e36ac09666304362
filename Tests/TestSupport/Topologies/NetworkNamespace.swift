import Foundation

/// Another host, as far as the network knows: a namespace of its own with a wire to the tests', which can be cut. Linux, as
/// root, with iproute2.
package final class NetworkNamespace: Sendable {
  package let name: String
  /// Its address, and that of the tests at the other end of the wire.
  package let (inside, outside): (String, String)
  private let wire: String

  /// Whether this process may make one.
  package static let isPermitted: Bool = {
    guard getuid() == 0 else { return false }
    let name = "smsq-try-\(getpid())"
    guard ip("netns", "add", name) else { return false }
    let hasWires = ip("link", "add", "smsqt\(getpid())", "type", "veth", "peer", "name", "smsqu\(getpid())")
    if hasWires { ip("link", "del", "smsqt\(getpid())") }
    ip("netns", "del", name)
    return hasWires
  }()

  package init() throws {
    let number = Int.random(in: 1...60_000)
    name = "smsq-\(number)"
    wire = "smsq\(number)"
    // A private range that hardly anybody uses.
    let network = "10.231.\(number % 250)"
    let host = number / 250 % 60 * 4
    (outside, inside) = ("\(network).\(host + 1)", "\(network).\(host + 2)")
    let steps = [
      ["netns", "add", name], ["link", "add", wire, "type", "veth", "peer", "name", "in0", "netns", name],
      ["addr", "add", "\(outside)/30", "dev", wire], ["link", "set", wire, "up"],
      ["-n", name, "addr", "add", "\(inside)/30", "dev", "in0"], ["-n", name, "link", "set", "in0", "up"],
      ["-n", name, "link", "set", "lo", "up"],
    ]
    for step in steps where !Self.ip(step) { throw NeverHappened(description: "ip \(step.joined(separator: " "))") }
  }

  deinit { Self.ip(["netns", "del", name]) }

  package func cut() { Self.ip(["link", "set", wire, "down"]) }
  package func mend() { Self.ip(["link", "set", wire, "up"]) }

  @discardableResult
  private static func ip(_ arguments: String...) -> Bool { ip(arguments) }

  @discardableResult
  private static func ip(_ arguments: [String]) -> Bool {
    startLock.withLock {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = ["ip"] + arguments
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      guard (try? process.run()) != nil else { return false }
      process.waitUntilExit()
      return process.terminationStatus == 0
    }
  }
}
