import Glibc

/// The name of a worker that was given none.
enum WorkerName {
  /// A name that no other worker has, of this host or another: pids do not tell containers apart, each of which has a pid 1.
  static var own: String {
    var buffer = [CChar](repeating: 0, count: 256)
    gethostname(&buffer, buffer.count - 1)
    let host = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    return own(host: host, number: .random(in: .min ... .max))
  }

  /// - Returns: a valid worker's name, whatever the host is called: its name as far as there is room, and 12 hex digits. Of a
  ///   thousand workers two have the same with a chance of one in 500 million.
  static func own(host: String, number: UInt64) -> String {
    let plain = host.unicodeScalars.map { scalar in
      scalar.isASCII
        && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil
          || "_-.:".unicodeScalars.contains(scalar))
        ? Character(scalar) : "-"
    }
    let digits = String(number % (1 << 48) + (1 << 48), radix: 16).dropFirst()
    return "\(host.isEmpty ? "host" : String(plain.prefix(51)))-\(digits)"
  }
}
