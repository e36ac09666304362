import Glibc

// Reads the URL of a Redis server. It is a reader of our own because what it does not understand must be refused, and said
// without the password: Foundation's takes port 82556 for 17020, drops what it cannot decode, and passes over a query.
//
// Whatever stands before an @ may be a password, and where one has a / ? or # in it that was not percent-encoded, so may
// what stands behind these. So an error quotes a part only when it cannot be one.

extension RedisEndpoint {
  /// - Throws: ``RedisEndpointError`` in words for the person who wrote the URL, never with its password.
  package init(_ url: String) throws(RedisEndpointError) {
    self = try RedisURL(url).endpoint()
  }
}

struct RedisURL {
  private enum Scheme: String {
    case redis, rediss, unix
    case sentinel = "redis+sentinel"
    case sentinelTLS = "rediss+sentinel"
    case cluster = "redis+cluster"
    case clusterTLS = "rediss+cluster"

    var tls: RedisTLS? { [.rediss, .sentinelTLS, .clusterTLS].contains(self) ? RedisTLS() : nil }
  }

  private let scheme: Scheme
  /// `[[user]:password@]host[:port]`, without what the scheme has no use for.
  private let authority: Substring
  private let path: Substring
  private let query: Substring?

  /// Takes the URL apart; nothing is decoded yet.
  init(_ url: String) throws(RedisEndpointError) {
    if url.isEmpty { throw RedisEndpointError("it is empty") }
    if url.unicodeScalars.contains(where: { $0.properties.isWhitespace || $0.value < 0x20 || $0.value == 0x7F }) {
      throw RedisEndpointError(
        "it has a space, a line break or a control character in it; in a password, a space is %20"
      )
    }
    var (scheme, rest) = try Self.scheme(of: url)

    if let mark = rest.firstIndex(of: "#") {
      // With an @ behind it, it belongs to a password.
      throw RedisEndpointError(
        rest[mark...].contains("@") ? Self.encodeHint : "a # has no meaning in it; in a password or a path write %23"
      )
    }
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    authority = rest[..<end]
    rest = rest[end...]
    let mark = rest.firstIndex(of: "?")
    path = rest[..<(mark ?? rest.endIndex)]
    query = mark.map { rest[rest.index(after: $0)...] }

    // Only a socket's path may have an @ in it, and only where no login could have ended with it.
    let isInPlace = scheme == .unix && (authority.isEmpty || authority.hasSuffix("@"))
    if (!isInPlace && path.contains("@")) || query?.contains("@") == true {
      throw RedisEndpointError(Self.encodeHint)
    }
    self.scheme = scheme
  }

  private static let encodeHint =
    "percent-encode special characters of a user or password (/ is %2F, ? is %3F, # is %23, @ is %40, % is %25)"

  private static func scheme(of url: String) throws(RedisEndpointError) -> (Scheme, Substring) {
    let known = "redis://, rediss:// or unix://"
    guard let end = url.firstRange(of: "://") else {
      let start = url.prefix { $0 != ":" }.lowercased()
      throw RedisEndpointError(
        Scheme(rawValue: start) != nil && url.contains(":")
          ? "behind \(start): it needs //"
          : "it is not a URL, which begins with \(known)"
      )
    }
    let name = url[..<end.lowerBound]
    let isName =
      name.first.map { $0.isASCII && $0.isLetter } == true
      && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) }
    guard isName else { throw RedisEndpointError("it is not a URL, which begins with \(known)") }
    if let scheme = Scheme(rawValue: name.lowercased()) { return (scheme, url[end.upperBound...]) }
    let hint =
      name.lowercased().contains("sentinel") ? sentinelForm : name.lowercased().contains("cluster") ? clusterForm : nil
    if let hint { throw RedisEndpointError("'\(name)' is not known here; write \(hint)") }
    throw RedisEndpointError("'\(name)' is not \(known), nor redis+sentinel:// or redis+cluster://")
  }

  private static let sentinelForm = "redis+sentinel://h1:26379,h2:26379,h3:26379/mymaster/0"
  private static let clusterForm = "redis+cluster://h1:6379,h2:6379"

  func endpoint() throws(RedisEndpointError) -> RedisEndpoint {
    let mark = authority.lastIndex(of: "@")
    let (user, password) = try login(mark.map { authority[..<$0] })
    let hosts = mark.map { authority[authority.index(after: $0)...] } ?? authority
    let (place, database) = try place(hosts)
    return RedisEndpoint(place, user: user, password: password, database: database, tls: scheme.tls)
  }

  private func place(_ hosts: Substring) throws(RedisEndpointError) -> (RedisEndpoint.Place, database: Int) {
    switch scheme {
    case .redis, .rediss:
      if hosts.contains(",") {
        throw RedisEndpointError("it names several hosts; write \(Self.sentinelForm) or \(Self.clusterForm)")
      }
      let address = try address(hosts, usualPort: Self.usualPort)
      return (.server(address), try database(inPath: path.isEmpty ? "" : path.dropFirst()))
    case .unix:
      return (.server(try socket(hosts)), try database(inPath: ""))
    case .sentinel, .sentinelTLS:
      let sentinels = try addresses(hosts, usualPort: Self.usualSentinelPort)
      let parts = path.dropFirst().split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
      let master = try master(parts)
      return (.sentinels(sentinels, master: master), try database(inPath: parts.count > 1 ? parts[1] : ""))
    case .cluster, .clusterTLS:
      let seeds = try addresses(hosts, usualPort: Self.usualPort)
      let database = try database(inPath: path.isEmpty ? "" : path.dropFirst())
      if database != 0 { throw RedisEndpointError("a Redis Cluster has no database but 0; leave /\(database) out") }
      return (.cluster(seeds: seeds), 0)
    }
  }

  private func socket(_ hosts: Substring) throws(RedisEndpointError) -> RedisEndpoint.Address {
    guard hosts.isEmpty, path.hasPrefix("/") else {
      throw RedisEndpointError("a socket takes an absolute path: unix:///run/redis/redis.sock, with three /")
    }
    let path = try decoded(path, "path")
    // hiredis would cut a longer one, and connect to another socket.
    if path.utf8.count > Self.longestSocketPath {
      throw RedisEndpointError(
        "its path has \(path.utf8.count) bytes, and a socket's at most \(Self.longestSocketPath); use a symbolic link"
      )
    }
    return .unix(path: path)
  }

  /// What sentinels call their master: sentinel.conf takes letters, digits and `.-_`.
  private func master(_ parts: [Substring]) throws(RedisEndpointError) -> String {
    guard let name = parts.first, !name.isEmpty else {
      throw RedisEndpointError("it names no master; its name stands behind the hosts, as in \(Self.sentinelForm)")
    }
    guard name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || ".-_".contains($0)) }) else {
      throw RedisEndpointError("its master's name has something else in it than letters, digits and . - _")
    }
    if parts.count == 1, Self.number(name) != nil {
      throw RedisEndpointError("in front of the database stands the master's name, as in \(Self.sentinelForm)")
    }
    return String(name)
  }

  /// Bytes of sockaddr_un's sun_path, without the zero at its end.
  private static let longestSocketPath = 107

  // MARK: Login

  private func login(_ text: Substring?) throws(RedisEndpointError) -> (user: String?, password: String?) {
    guard let text else { return (nil, nil) }
    if text.contains("@") { throw RedisEndpointError(Self.encodeHint) }
    guard let colon = text.firstIndex(of: ":") else {
      throw RedisEndpointError(
        text.isEmpty
          ? "nothing stands before its @; leave that out where there is no password"
          : "a user needs a password, user:password@; a password without a user is :password@"
      )
    }
    let user = try decoded(text[..<colon], "user")
    let password = try decoded(text[text.index(after: colon)...], "password")
    if user.isEmpty && password.isEmpty {
      throw RedisEndpointError("its password is empty; leave out :@ where there is none")
    }
    return (user.isEmpty ? nil : user, password)
  }

  // MARK: Host and port

  /// Hosts with a comma between them.
  private func addresses(
    _ text: Substring,
    usualPort: Int
  ) throws(RedisEndpointError) -> [RedisEndpoint.Address] {
    var addresses: [RedisEndpoint.Address] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      if part.isEmpty && text.contains(",") { throw RedisEndpointError("beside one of its commas stands no host") }
      let address = try address(part, usualPort: usualPort)
      if addresses.contains(address) { throw RedisEndpointError("it names one of its hosts twice") }
      addresses.append(address)
    }
    return addresses
  }

  private func address(_ text: Substring, usualPort: Int) throws(RedisEndpointError) -> RedisEndpoint.Address {
    let (host, port) = try hostAndPort(text)
    return .tcp(host: host, port: port ?? usualPort)
  }

  private func hostAndPort(_ text: Substring) throws(RedisEndpointError) -> (String, Int?) {
    if text.first == "[" {
      guard let end = text.firstIndex(of: "]") else {
        throw RedisEndpointError("the ] behind its IPv6 address is missing")
      }
      let host = String(text[text.index(after: text.startIndex)..<end])
      var address = in6_addr()
      guard inet_pton(AF_INET6, host, &address) == 1 else {
        throw RedisEndpointError("what stands in its [] is no IPv6 address, such as [::1]")
      }
      let rest = text[text.index(after: end)...]
      if rest.isEmpty { return (host, nil) }
      guard rest.first == ":" else { throw RedisEndpointError("behind the ] only :port may follow") }
      return (host, try port(rest.dropFirst()))
    }
    let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
    if parts.count > 2 { throw RedisEndpointError("an IPv6 address needs brackets, as in redis://[::1]:6379") }
    let host = parts[0]
    if host.isEmpty { throw RedisEndpointError("it names no host") }
    guard host.utf8.count <= 253, host.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-._".contains($0)) })
    else {
      throw RedisEndpointError("its host is not a name of letters, digits, dots and hyphens, nor an IP address")
    }
    return (String(host), parts.count == 1 ? nil : try port(parts[1]))
  }

  private static let usualPort = 6379
  private static let usualSentinelPort = 26379

  private func port(_ text: Substring) throws(RedisEndpointError) -> Int {
    if text.isEmpty { throw RedisEndpointError("no port follows the : behind its host") }
    guard let number = Self.number(text) else {
      // Not quoted: in redis://user:password the password stands here.
      throw RedisEndpointError("its port is not a number, as in redis://host:6379; a login ends with @")
    }
    if (1...65_535).contains(number) { return number }
    let shown = text.count <= 5 ? " is \(number)" : "'s number is too large"
    throw RedisEndpointError("its port\(shown); ports are 1 to 65535")
  }

  // MARK: Database

  private func database(inPath text: Substring) throws(RedisEndpointError) -> Int {
    let fromQuery = try databaseInQuery()
    if text.isEmpty { return fromQuery ?? 0 }
    guard let number = Self.number(text) else {
      throw RedisEndpointError("its database is not a number, as in /0")
    }
    if let fromQuery, fromQuery != number {
      throw RedisEndpointError("it names two databases, /\(number) and ?db=\(fromQuery)")
    }
    return number
  }

  private func databaseInQuery() throws(RedisEndpointError) -> Int? {
    guard let query else { return nil }
    var database: Int?
    for item in query.split(separator: "&", omittingEmptySubsequences: false) {
      let sides = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let isName = sides[0].utf8.count <= 32 && sides[0].wholeMatch(of: /[a-z_]+/) != nil
      guard sides.count == 2, isName else { throw RedisEndpointError("behind ? only db=N has a meaning, as in ?db=2") }
      if ["user", "username", "password"].contains(sides[0]) {
        throw RedisEndpointError("\(sides[0])= has no meaning in it; a login stands in front, user:password@")
      }
      guard sides[0] == "db" else {
        throw RedisEndpointError("?\(sides[0])= has no meaning in it; behind ? only db=N has, as in ?db=2")
      }
      guard let number = Self.number(sides[1]) else {
        throw RedisEndpointError("its database is not a number, as in ?db=2")
      }
      if database != nil { throw RedisEndpointError("db= stands in it twice") }
      database = number
    }
    return database
  }

  // MARK: Parts

  /// A number of ASCII digits alone, without a sign; nil for one that is larger than Redis' own numbers for a database.
  private static func number(_ text: Substring) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) else { return nil }
    return Int32(text).map(Int.init)
  }

  private func decoded(_ text: Substring, _ what: String) throws(RedisEndpointError) -> String {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      if byte != UInt8(ascii: "%") {
        bytes.append(byte)
        continue
      }
      guard let high = rest.popFirst().flatMap(Self.digit), let low = rest.popFirst().flatMap(Self.digit) else {
        throw RedisEndpointError("its \(what) has a % that no two hexadecimal digits follow; write %25 for a %")
      }
      bytes.append(high << 4 | low)
    }
    guard let decoded = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
      throw RedisEndpointError("the percent-encoding in its \(what) gives no text in UTF-8; write %25 for a %")
    }
    return decoded
  }

  private static func digit(_ character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// The text as ``decoded(_:_:)`` reads it.
  ///
  /// - Parameter keeping: characters that mean nothing special where it is to stand, besides letters, digits and `-._~`.
  static func encoded(_ text: String, keeping kept: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
      let scalar = Unicode.Scalar(byte)
      if scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
        || "-._~".unicodeScalars.contains(scalar) || kept.unicodeScalars.contains(scalar)
      {
        encoded.unicodeScalars.append(scalar)
      } else {
        let digits = String(byte, radix: 16, uppercase: true)
        encoded += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
      }
    }
    return encoded
  }
}
