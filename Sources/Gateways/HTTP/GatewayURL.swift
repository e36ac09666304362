/// The address of a gateway that speaks HTTP.
package struct GatewayURL: Sendable, Equatable {
  package let text: String
  /// Host and port, for logs: the rest may hold a password.
  package let host: String
  package let isSecure: Bool

  package struct Fault: Error, CustomStringConvertible {
    /// Does not repeat the URL, which may hold a password.
    package let description: String
  }

  package static func isOne(_ text: String) -> Bool {
    let beginning = text.prefix(8).lowercased()
    return beginning.hasPrefix("http://") || beginning.hasPrefix("https://")
  }

  package init(_ text: String) throws(Fault) {
    guard Self.isOne(text) else { throw Fault(description: "it does not begin with https:// or http://") }
    if let scalar = text.unicodeScalars.first(where: {
      $0.value <= 0x20 || $0.value >= 0x7F || "\"<>\\^`{|}".unicodeScalars.contains($0)
    }) {
      let name =
        scalar.value == 0x20
        ? "a space" : scalar.value < 0x7F && scalar.value > 0x20 ? "'\(scalar)'" : "a character beyond ASCII"
      throw Fault(
        description: "it holds \(name): write that as % and two hexadecimal digits, a host's name in xn-- form"
      )
    }
    if text.contains("#") { throw Fault(description: "it has a fragment (#...), which is never sent") }
    isSecure = text.prefix(6).lowercased() == "https:"
    let authority = text.dropFirst(isSecure ? 8 : 7).prefix { $0 != "/" && $0 != "?" }
    let host = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
    let name: Substring
    let rest: Substring
    if host.hasPrefix("[") {
      guard let end = host.firstIndex(of: "]") else { throw Fault(description: "its address lacks a ]") }
      name = host[...end].dropFirst().dropLast()
      rest = host[host.index(after: end)...]
    } else {
      name = host.prefix { $0 != ":" }
      rest = host[name.endIndex...]
    }
    guard !name.isEmpty else { throw Fault(description: "it names no host") }
    if !rest.isEmpty {
      guard rest.hasPrefix(":"), let port = Int(rest.dropFirst()), (1...65_535).contains(port),
        rest.dropFirst().utf8.allSatisfy({ (0x30...0x39).contains($0) })
      else { throw Fault(description: "its port is no number from 1 to 65535") }
    }
    self.text = text
    self.host = String(host)
  }
}
