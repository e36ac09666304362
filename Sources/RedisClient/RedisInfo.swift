/// What a server says of itself: the answer to INFO, by field.
package struct RedisInfo: Sendable, Equatable {
  private var fields: [String: String] = [:]

  /// Reads `field:value` lines; headings and whatever else there is are skipped.
  package init(_ text: String) {
    for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      fields[String(line[..<colon])] = String(line[line.index(after: colon)...])
    }
  }

  package subscript(field: String) -> String? { fields[field] }

  package func number(_ field: String) -> Int64? { fields[field].flatMap { Int64($0) } }

  /// Replicas that are connected and up to date, or nearly so.
  package var replicasOnline: Int {
    fields.filter { field, value in
      field.hasPrefix("slave") && field.dropFirst("slave".count).allSatisfy(\.isNumber)
        && value.contains("state=online")
    }.count
  }
}

extension RedisConnection {
  package func info() throws(RedisError) -> RedisInfo {
    RedisInfo(try run(RedisCommand("INFO")).string ?? "")
  }

  /// Settings by name; nil where the server does not let us read them.
  package func settings(_ names: String...) throws(RedisError) -> [String: String]? {
    var settings: [String: String] = [:]
    // One by one, because CONFIG GET takes several names only from Redis 7.0 on.
    for case let (name, reply) in zip(names, try run(names.map { RedisCommand("CONFIG", "GET", $0) })) {
      // The right to read one is the right to read all. A name that the server does not know gives an empty array.
      if case .error = reply { return nil }
      if let pair = reply.array, pair.count == 2 { settings[name] = pair[1].string }
    }
    return settings
  }
}
