import RedisClient
import Testing

struct ValidURL: Sendable, CustomTestStringConvertible {
  let url: String
  let address: RedisEndpoint.Address
  var user: String?
  var password: String?
  var database = 0
  /// What logs show.
  let shown: String

  var testDescription: String { url }
}

@Suite("RedisEndpoint")
struct RedisEndpointTests {
  static let valid: [ValidURL] = [
    ValidURL(url: "redis://localhost", address: .tcp(host: "localhost", port: 6379), shown: "redis://localhost:6379/0"),
    ValidURL(url: "redis://r:7000/", address: .tcp(host: "r", port: 7000), shown: "redis://r:7000/0"),
    ValidURL(url: "redis://r/5", address: .tcp(host: "r", port: 6379), database: 5, shown: "redis://r:6379/5"),
    ValidURL(
      url: "redis://:secret@r:6379/1",
      address: .tcp(host: "r", port: 6379),
      password: "secret",
      database: 1,
      shown: "redis://***@r:6379/1"
    ),
    ValidURL(
      url: "redis://bob:secret@r",
      address: .tcp(host: "r", port: 6379),
      user: "bob",
      password: "secret",
      shown: "redis://bob@r:6379/0"
    ),
    ValidURL(
      url: "redis://b%40b:p%40ss%3A%2F%25@r",
      address: .tcp(host: "r", port: 6379),
      user: "b@b",
      password: "p@ss:/%",
      shown: "redis://b@b@r:6379/0"
    ),
    ValidURL(
      url: "redis://[::1]:6380/2",
      address: .tcp(host: "::1", port: 6380),
      database: 2,
      shown: "redis://[::1]:6380/2"
    ),
    ValidURL(url: "unix:///run/redis.sock", address: .unix(path: "/run/redis.sock"), shown: "unix:///run/redis.sock"),
    ValidURL(
      url: "unix:///run/redis.sock?db=3",
      address: .unix(path: "/run/redis.sock"),
      database: 3,
      shown: "unix:///run/redis.sock?db=3"
    ),
    ValidURL(
      url: "unix://:secret@/run/redis.sock",
      address: .unix(path: "/run/redis.sock"),
      password: "secret",
      shown: "unix://***@/run/redis.sock"
    ),
  ]

  @Test("A URL names the server, the login and the database, and is shown without the password", arguments: valid)
  func read(example: ValidURL) throws {
    let endpoint = try RedisEndpoint(example.url)
    #expect(endpoint.address == example.address)
    #expect(endpoint.user == example.user)
    #expect(endpoint.password == example.password)
    #expect(endpoint.database == example.database)
    #expect("\(endpoint)" == example.shown)
  }

  @Test(
    "What is no usable URL is refused with the reason",
    arguments: [
      ("", "not a URL"), ("localhost:6379", "not redis:// or unix://"), ("127.0.0.1", "not a URL"),
      ("http://r", "'http' is not redis:// or unix://"), ("rediss://r", "TLS is not supported"),
      ("redis://", "names no host"), ("redis:///1", "names no host"), ("redis://r/x", "database is not a number"),
      ("redis://r/-1", "database is not a number"), ("unix://run/redis.sock", "absolute path"),
      ("unix:///r.sock?db=x", "database is not a number"), ("redis://:p/ss@r", "percent-encode"),
    ]
  )
  func invalid(url: String, reason: String) {
    let error = #expect(throws: RedisEndpointError.self) { try RedisEndpoint(url) }
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
  }

  @Test(
    "What is wrong with a URL is said without its password",
    arguments: [
      "redis://user:12/s3cret@host:6379/0", "redis://:12/s3cret@host", "redis://:s3cret@host/x",
      "redis://user:s3cret/12@host", "unix://:s3cret@/run/redis.sock?db=x", "user:s3cret@host", ":s3cret@host:6379",
      "redis://:s3cret@", "redis://user:1?s3cret@host/0", "redis://user:1#s3cret@host/0",
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
}
