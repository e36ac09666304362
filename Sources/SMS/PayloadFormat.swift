/// How a queue's payloads are written.
package enum PayloadFormat: String, Sendable, CaseIterable {
  /// Each as its first bytes show.
  case auto
  case json
  /// As PHP's `serialize` writes them.
  case php

  func isPHP(_ payload: [UInt8]) -> Bool {
    switch self {
    case .json: false
    case .php: true
    // An array, which no JSON begins like. Everything else is told what is wrong with it as JSON.
    case .auto: payload.starts(with: "a:".utf8)
    }
  }
}
