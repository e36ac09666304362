import CHTTP
import SMS

/// What requests to a webhook are signed with, in the form of Standard Webhooks 1.0 (standardwebhooks.com), whose libraries can
/// check it: HMAC-SHA256 of id, time and body.
package struct WebhookSecret: Sendable, Equatable {
  private let key: [UInt8]

  private static let prefix = "whsec_"

  /// - Parameter text: `whsec_` and the key in Base64, or the key as it is.
  /// - Throws: ``HTTPSetupError``, which does not repeat the text.
  package init(_ text: String) throws(HTTPSetupError) {
    if let absence = chttp_crypto_load() {
      throw HTTPSetupError(
        description: "OpenSSL cannot be loaded (\(String(cString: absence))): install it (Debian and Ubuntu: libssl3)"
      )
    }
    if text.isEmpty { throw HTTPSetupError(description: "the webhook's secret is empty") }
    guard text.hasPrefix(Self.prefix) else {
      key = Array(text.utf8)
      return
    }
    let base64 = Array(text.utf8.dropFirst(Self.prefix.utf8.count)).map { CChar(bitPattern: $0) }
    var key = [UInt8](repeating: 0, count: base64.count / 4 * 3 + 3)
    let count = chttp_decode_base64(base64, base64.count, &key)
    guard count > 0 else {
      throw HTTPSetupError(description: "the webhook's secret begins with whsec_, and is no Base64 behind it")
    }
    self.key = Array(key.prefix(count))
  }

  /// The value of `webhook-signature`.
  ///
  /// - Parameter seconds: Unix time.
  func signature(id: String, seconds: Int64, body: [UInt8]) -> String {
    let content = Array("\(id).\(seconds).".utf8) + body
    var signature = [CChar](repeating: 0, count: 45)
    guard chttp_sign(key, key.count, content, content.count, &signature) else { return "" }
    return "v1," + String(decoding: signature.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
