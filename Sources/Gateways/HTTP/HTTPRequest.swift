/// One POST.
struct HTTPRequest: Sendable, Equatable {
  /// As in `Content-Type: application/json`.
  var headers: [String]
  var body: [UInt8]

  private static let unreserved = Set(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8
  )

  /// A text as a URL or a form may hold it (RFC 3986, 2.1 and 2.3), which fits a header as well.
  static func percentEncoded(_ text: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
      if unreserved.contains(byte) {
        encoded.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        let digits = String(byte, radix: 16, uppercase: true)
        encoded += (byte < 16 ? "%0" : "%") + digits
      }
    }
    return encoded
  }
}

/// What became of a request.
enum HTTPOutcome: Sendable, Equatable {
  case answered(HTTPAnswer)
  /// The server surely does not have the whole request, and why.
  case notSent(String)
  /// The server may have the request, and said nothing that can be understood.
  case noAnswer(String)
}
