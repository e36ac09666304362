import Testing

@testable import RedisClient

struct ValidURL: Sendable, CustomTestStringConvertible {
  let url: String
  let address: RedisEndpoint.Address
  var user: String?
  var password: String?
  var database = 0
  /// What logs show.
  let shown: String

  var testDescription: String { url }

  static func tcp(
    _ url: String,
    _ host: String,
    _ port: Int = 6379,
    user: String? = nil,
    password: String? = nil,
    db: Int = 0,
    shown: String
  ) -> Self {
    ValidURL(
      url: url,
      address: .tcp(host: host, port: port),
      user: user,
      password: password,
      database: db,
      shown: shown
    )
  }

  static func unix(
    _ url: String,
    _ path: String,
    user: String? = nil,
    password: String? = nil,
    db: Int = 0,
    shown: String
  ) -> Self {
    ValidURL(url: url, address: .unix(path: path), user: user, password: password, database: db, shown: shown)
  }
}

@Suite("RedisEndpoint")
struct RedisEndpointTests {
  static let valid: [ValidURL] = [
    .tcp("redis://localhost", "localhost", shown: "redis://localhost:6379/0"),
    .tcp("redis://r:7000/", "r", 7000, shown: "redis://r:7000/0"),
    .tcp("redis://r/5", "r", db: 5, shown: "redis://r:6379/5"),
    .tcp("redis://r?db=2", "r", db: 2, shown: "redis://r:6379/2"),
    .tcp("redis://r/?db=2", "r", db: 2, shown: "redis://r:6379/2"),
    .tcp("redis://r:1/2?db=2", "r", 1, db: 2, shown: "redis://r:1/2"),
    .tcp("REDIS://r:65535/007", "r", 65535, db: 7, shown: "redis://r:65535/7"),
    .tcp("redis://my_redis-1.local:6379", "my_redis-1.local", shown: "redis://my_redis-1.local:6379/0"),
    .tcp("redis://10.0.0.7:6379/15", "10.0.0.7", db: 15, shown: "redis://10.0.0.7:6379/15"),
    .tcp("redis://[::1]:6380/2", "::1", 6380, db: 2, shown: "redis://[::1]:6380/2"),
    .tcp("redis://[2001:db8::7]", "2001:db8::7", shown: "redis://[2001:db8::7]:6379/0"),
    .tcp("redis://:secret@[::1]", "::1", password: "secret", shown: "redis://:***@[::1]:6379/0"),
    .tcp("redis://:secret@r:6379/1", "r", password: "secret", db: 1, shown: "redis://:***@r:6379/1"),
    .tcp("redis://bob:secret@r", "r", user: "bob", password: "secret", shown: "redis://bob:***@r:6379/0"),
    .tcp("redis://bob:@r", "r", user: "bob", password: "", shown: "redis://bob:***@r:6379/0"),
    .tcp("rediss://bob:secret@r/2", "r", user: "bob", password: "secret", db: 2, shown: "rediss://bob:***@r:6379/2"),
    .tcp("REDISS://[::1]:7", "::1", 7, shown: "rediss://[::1]:7/0"),
    .tcp("redis://:a:b@r", "r", password: "a:b", shown: "redis://:***@r:6379/0"),
    .tcp("redis://:a+b!$&'()*;=~@r", "r", password: "a+b!$&'()*;=~", shown: "redis://:***@r:6379/0"),
    .tcp("redis://:pä密@r", "r", password: "pä密", shown: "redis://:***@r:6379/0"),
    .tcp("redis://:p%C3%a4@r", "r", password: "pä", shown: "redis://:***@r:6379/0"),
    .tcp("redis://:100%25ab@r", "r", password: "100%ab", shown: "redis://:***@r:6379/0"),
    .tcp("redis://:%20@r", "r", password: " ", shown: "redis://:***@r:6379/0"),
    .tcp(
      "redis://b%40b:p%40ss%3A%2F%25%3f%23@r",
      "r",
      user: "b@b",
      password: "p@ss:/%?#",
      shown: "redis://b%40b:***@r:6379/0"
    ),
    .unix("unix:///run/redis.sock", "/run/redis.sock", shown: "unix:///run/redis.sock"),
    .unix("UNIX:///run/redis.sock?db=3", "/run/redis.sock", db: 3, shown: "unix:///run/redis.sock?db=3"),
    .unix("unix:///r.sock?db=0", "/r.sock", shown: "unix:///r.sock"),
    .unix(
      "unix://:secret@/run/redis.sock",
      "/run/redis.sock",
      password: "secret",
      shown: "unix://:***@/run/redis.sock"
    ),
    .unix(
      "unix://bob:s%2Fx@/run/r.sock?db=1",
      "/run/r.sock",
      user: "bob",
      password: "s/x",
      db: 1,
      shown: "unix://bob:***@/run/r.sock?db=1"
    ),
    .unix("unix:///run/a@b:c.sock", "/run/a@b:c.sock", shown: "unix:///run/a@b:c.sock"),
    .unix("unix:///run/50%25%20%3f.sock", "/run/50% ?.sock", shown: "unix:///run/50%25%20%3F.sock"),
  ]

  @Test("A URL names the server, the login and the database, and is shown without the password", arguments: valid)
  func read(example: ValidURL) throws {
    let endpoint = try RedisEndpoint(example.url)
    #expect(endpoint.address == example.address)
    #expect(endpoint.user == example.user)
    #expect(endpoint.password == example.password)
    #expect(endpoint.database == example.database)
    #expect("\(endpoint)" == example.shown)
    #expect((endpoint.tls != nil) == example.shown.hasPrefix("rediss://"))
  }

  static let invalid: [(String, String)] = [
    // Not such a URL.
    ("", "is empty"), ("localhost", "not a URL"), ("localhost:6379", "not a URL"), ("127.0.0.1", "not a URL"),
    ("/run/redis.sock", "not a URL"), ("://r", "not a URL"), ("1redis://r", "not a URL"), ("redis", "not a URL"),
    ("redis:r:6379", "needs //"), ("redis:/r", "needs //"), ("unix:/run/redis.sock", "needs //"),
    ("http://r", "'http' is not redis://, rediss:// or unix://"), ("redis+tls://r", "'redis+tls' is not"),
    ("rediss:/r", "behind rediss: it needs //"), ("rediss://", "names no host"),
    (" redis://r", "a space"), ("redis://r ", "a space"), ("redis://r\n", "line break"),
    ("redis://r/0\r", "line break"),
    ("redis://:a b@r", "%20"), ("redis://r\u{0}", "control"), ("redis://r\u{A0}", "a space"),
    // Host and port.
    ("redis://", "names no host"), ("redis:///1", "names no host"), ("redis://:6379", "names no host"),
    ("redis://:p@", "names no host"), ("redis://?db=1", "names no host"),
    ("redis://r:", "no port follows"), ("redis://r:/0", "no port follows"), ("redis://r:x", "port is not a number"),
    ("redis://r:+80", "port is not a number"), ("redis://r:-1", "port is not a number"),
    ("redis://r:0", "port is 0; ports are 1 to 65535"), ("redis://r:65536", "port is 65536"),
    ("redis://r:82556", "port is 82556"), ("redis://r:6379000", "too large"),
    ("redis://r:99999999999999999999", "port is not a number"), ("redis://user:secret", "port is not a number"),
    ("redis://::1", "brackets"), ("redis://::1:6379", "brackets"), ("redis://r:1:2", "brackets"),
    ("redis://[::1", "] behind"), ("redis://[::1]6379", "only :port"), ("redis://[::1]x", "only :port"),
    ("redis://[::1]:", "no port follows"), ("redis://[r]", "no IPv6 address"), ("redis://[]", "no IPv6 address"),
    ("redis://[::1%25eth0]", "no IPv6 address"), ("redis://a,b", "several hosts; write redis+sentinel://"),
    ("redis://h1:1,h2:2", "or redis+cluster://h1"), ("redis://a%62", "host is not a name"),
    ("redis://rédis", "host is not a name"),
    ("redis://r\\x", "host is not a name"),
    // Login.
    ("redis://user@r", "a user needs a password"), ("redis://@r", "nothing stands before"),
    ("redis://:@r", "password is empty"), ("unix://user@/r.sock", "a user needs a password"),
    ("redis://:100%ab@r", "UTF-8; write %25"), ("redis://:100%@r", "write %25"), ("redis://:%4@r", "write %25"),
    ("redis://:%zz@r", "write %25"), ("redis://%:a@r", "its user has a %"), ("redis://:%ff@r", "UTF-8"),
    ("redis://:%00@r", "UTF-8"), ("redis://:p@ss@r", "percent-encode"), ("redis://:p/ss@r", "percent-encode"),
    ("redis://:p?ss@r", "percent-encode"), ("redis://:p#ss@r", "percent-encode"),
    ("unix://:p/ss@/r.sock", "percent-encode"), ("unix://:p?ss@/r.sock", "percent-encode"),
    // Database, and what follows it.
    ("redis://r/x", "database is not a number"), ("redis://r/-1", "database is not a number"),
    ("redis://r/+1", "database is not a number"), ("redis://r/1.0", "database is not a number"),
    ("redis://r/1/", "database is not a number"), ("redis://r//1", "database is not a number"),
    ("redis://r/99999999999", "database is not a number"), ("redis://r/%31", "database is not a number"),
    ("redis://r/٣", "database is not a number"), ("redis://r?db=x", "database is not a number"),
    ("redis://r?db=-1", "database is not a number"), ("redis://r?db=", "database is not a number"),
    ("redis://r/2?db=3", "two databases, /2 and ?db=3"), ("redis://r?db=1&db=1", "twice"),
    ("redis://r?db", "only db=N"), ("redis://r?", "only db=N"), ("redis://r?db=1&", "only db=N"),
    ("redis://r?DB=1", "only db=N"), ("redis://r?timeout=5", "?timeout= has no meaning"),
    ("redis://r/0?ssl_cert_reqs=none", "?ssl_cert_reqs= has no meaning"),
    ("redis://r?password=secret", "a login stands in front"), ("redis://r/0#1", "a # has no meaning"),
    ("redis://r#", "a # has no meaning"),
    // Sockets.
    ("unix://run/redis.sock", "absolute path"), ("unix://", "absolute path"), ("unix://:p@", "absolute path"),
    ("unix://:p@r/r.sock", "absolute path"), ("unix://r:1/r.sock", "absolute path"),
    ("unix:///r.sock?db=x", "database is not a number"), ("unix:///r%.sock", "its path has a %"),
    ("unix:///r#s.sock", "%23"), ("unix:///" + String(repeating: "x", count: 107), "108 bytes"),
  ]

  @Test("What is no usable URL is refused with the reason", arguments: invalid)
  func refused(url: String, reason: String) {
    let error = #expect(throws: RedisEndpointError.self) { try RedisEndpoint(url) }
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
  }

  @Test(
    "What is wrong with a URL is said without its password",
    arguments: [
      "redis://user:12/s3cret@host:6379/0", "redis://:12/s3cret@host", "redis://:s3cret@host/x",
      "redis://user:s3cret/12@host", "unix://:s3cret@/run/redis.sock?db=x", "user:s3cret@host", ":s3cret@host:6379",
      "redis://:s3cret@", "redis://user:1?s3cret@host/0", "redis://user:1#s3cret@host/0", "redis://user:s3cret",
      "redis://:s3cret%@host", "redis://:s3cret@host:99999", "redis://h?password=s3cret", "redis://h?s3cret",
      "redis:user:s3cret@host", "redis://user:1?s3cret=@host", "redis://:a@s3cret@host", "redis://h/s3cret",
      "redis://u:s3cret@h?timeout=1", "redis+sentinel://u:s3cret@h", "redis+sentinel://u:1/s3cret@h/m",
      "redis+cluster://:s3cret@h,", "redis+cluster://u:s3cret@h/4", "redis-cluster://u:s3cret@h",
      "redis://u:s3cret@h,h2", "redis://:s3cret@[::x]", "redis://:s3cret @host", "s3cret", "rediss://:s3cret@h",
    ]
  )
  func secret(url: String) {
    do {
      let endpoint = try RedisEndpoint(url)
      #expect(!"\(endpoint)".contains("s3cret"))
    } catch {
      #expect(!error.description.contains("s3cret"))
    }
  }

  // MARK: Several hosts

  static let places: [(url: String, place: RedisEndpoint.Place, database: Int, shown: String)] = [
    (
      "redis+sentinel://h1/mymaster", .sentinels([.tcp(host: "h1", port: 26379)], master: "mymaster"), 0,
      "redis+sentinel://h1:26379/mymaster/0"
    ),
    (
      "redis+sentinel://h1:1,h2,[::1]:3,[2001:db8::7]/a.B-c_1/5",
      .sentinels(
        [
          .tcp(host: "h1", port: 1), .tcp(host: "h2", port: 26379), .tcp(host: "::1", port: 3),
          .tcp(host: "2001:db8::7", port: 26379),
        ],
        master: "a.B-c_1"
      ), 5, "redis+sentinel://h1:1,h2:26379,[::1]:3,[2001:db8::7]:26379/a.B-c_1/5"
    ),
    (
      "REDISS+Sentinel://bob:s3cret@h1,h2/m/?db=3",
      .sentinels([.tcp(host: "h1", port: 26379), .tcp(host: "h2", port: 26379)], master: "m"), 3,
      "rediss+sentinel://bob:***@h1:26379,h2:26379/m/3"
    ),
    (
      "redis+sentinel://h1/0/0", .sentinels([.tcp(host: "h1", port: 26379)], master: "0"), 0,
      "redis+sentinel://h1:26379/0/0"
    ),
    (
      "redis+cluster://h1", .cluster(seeds: [.tcp(host: "h1", port: 6379)]), 0, "redis+cluster://h1:6379"
    ),
    (
      "rediss+cluster://:p%2Cq@h1:7001,h2:7002,[::1]/0?db=0",
      .cluster(seeds: [.tcp(host: "h1", port: 7001), .tcp(host: "h2", port: 7002), .tcp(host: "::1", port: 6379)]), 0,
      "rediss+cluster://:***@h1:7001,h2:7002,[::1]:6379"
    ),
    (
      "redis+cluster://:a,b@h1,h1:1/",
      .cluster(seeds: [.tcp(host: "h1", port: 6379), .tcp(host: "h1", port: 1)]), 0, "redis+cluster://:***@h1:6379,h1:1"
    ),
  ]

  @Test(
    "A URL of sentinels or of a cluster names several hosts, and is shown as one that can be read again",
    arguments: places
  )
  func several(example: (url: String, place: RedisEndpoint.Place, database: Int, shown: String)) throws {
    let endpoint = try RedisEndpoint(example.url)
    #expect(endpoint.place == example.place)
    #expect(endpoint.database == example.database)
    #expect("\(endpoint)" == example.shown)
    #expect((endpoint.tls != nil) == example.url.lowercased().hasPrefix("rediss"))
    #expect(try RedisEndpoint(example.shown).place == example.place)
  }

  @Test(
    "What is no usable URL of several hosts is refused with the reason",
    arguments: [
      ("redis+sentinel://", "names no host"), ("redis+sentinel:///mymaster", "names no host"),
      ("redis+sentinel://h1", "names no master"), ("redis+sentinel://h1/", "names no master"),
      ("redis+sentinel://h1//0", "names no master"), ("redis+sentinel://h1/0", "in front of the database"),
      ("redis+sentinel://h1?db=0", "names no master"), ("redis+sentinel://h1/my%20master", "something else in it"),
      ("redis+sentinel://h1/my+master", "something else"), ("redis+sentinel://h1/mäster", "something else"),
      ("redis+sentinel://h1/m/x", "database is not a number"),
      ("redis+sentinel://h1/m/0/1", "database is not a number"),
      ("redis+sentinel://h1/m/2?db=3", "two databases"), ("redis+sentinel://h1,/m", "no host"),
      ("redis+sentinel://,h1/m", "no host"), ("redis+sentinel://h1,,h2/m", "no host"),
      ("redis+sentinel://h1,h1:26379/m", "twice"), ("redis+sentinel://h1:0,h2/m", "port is 0"),
      ("redis+sentinel://h1,h2:/m", "no port follows"), ("redis+sentinel://h1;h2/m", "host is not a name"),
      ("redis+sentinel://h1,::1/m", "brackets"), ("redis+sentinel://user@h1/m", "a user needs a password"),
      ("redis+sentinel://:p/q@h1/m", "percent-encode"), ("redis+sentinel:h1/m", "needs //"),
      ("redis+cluster://", "names no host"), ("redis+cluster://h1/1", "no database but 0; leave /1 out"),
      ("redis+cluster://h1?db=2", "no database but 0"), ("redis+cluster://h1/x", "database is not a number"),
      ("redis+cluster://h1,h1", "twice"), ("redis+cluster://h1 ,h2", "a space"),
      ("redis-sentinel://h1/m", "write redis+sentinel://"), ("sentinel://h1/m", "write redis+sentinel://"),
      ("redis-cluster://h1", "write redis+cluster://"), ("redis+sentinels://h1", "write redis+sentinel://"),
    ]
  )
  func severalRefused(url: String, reason: String) {
    let error = #expect(throws: RedisEndpointError.self) { try RedisEndpoint(url) }
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
  }

  // MARK: Many

  @Test("A login of any characters, percent-encoded, is read as it was")
  func logins() throws {
    var random = SystemRandomNumberGenerator()
    let characters = Array("abcZ09:/?#[]@!$&'()*+,;= %\"\\<>^`{|}~-._äß密🙂\u{301}\n\t")
    for _ in 0..<5_000 {
      let word = {
        String((0..<Int.random(in: 1...12, using: &random)).map { _ in characters.randomElement(using: &random)! })
      }
      let (user, password) = (word(), word())
      let login = RedisURL.encoded(user, keeping: "") + ":" + RedisURL.encoded(password, keeping: ":!")
      let database = Int.random(in: 0...20, using: &random)
      let endpoint = try RedisEndpoint("redis://\(login)@r:7/\(database)")
      try #require(endpoint.user == user && endpoint.password == password && endpoint.database == database)
      try #require(!"\(endpoint)".contains(password) || password.count < 4)
      let socket = try RedisEndpoint("unix://\(login)@/\(RedisURL.encoded(user, keeping: "/"))")
      try #require(socket.address == .unix(path: "/" + user) && socket.password == password)
    }
  }

  @Test("What is accepted of anything at all is shown as a URL for the same server and database")
  func anything() {
    var random = SystemRandomNumberGenerator()
    let pieces = [
      "redis://", "unix://", "rediss://", "redis+sentinel://", "rediss+cluster://", "h1,h2", "/mymaster", "redis:", "/",
      "//", "?", "#", "@", ":", "[", "]", "%", "%41", "%4", "%ff",
      "&", "=",
      "db=", "?db=1", "0", "1", "65535", "65536", "a", "localhost", "::1", "[::1]", ".", "-", " ", "\n", "ä", "\u{301}",
      "secret",
      "\u{0}", ",", "\\", "/run/r.sock", "+",
    ]
    var accepted = 0
    for _ in 0..<50_000 {
      var url =
        Bool.random(using: &random)
        ? "redis://" : ["unix://", "", "redis+sentinel://", "redis+cluster://"].randomElement(using: &random)!
      for _ in 0..<Int.random(in: 0...7, using: &random) { url += pieces.randomElement(using: &random)! }
      guard let endpoint = try? RedisEndpoint(url) else { continue }
      accepted += 1
      let again = try? RedisEndpoint("\(endpoint)")
      if again?.place != endpoint.place || again?.database != endpoint.database || again?.user != endpoint.user
        || again?.tls != endpoint.tls
        || (again?.password == nil) != (endpoint.password == nil)
      {
        Issue.record("\(url) is shown as \(endpoint)")
      }
    }
    #expect(accepted > 500)
  }
}
