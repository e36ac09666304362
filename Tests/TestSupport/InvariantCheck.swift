import MessageQueue
import RedisClient

/// Reads the whole of a queue and says what is wrong with it: the promise of docs/message-path.md, as arithmetic.
package struct InvariantCheck: Sendable {
  /// The payloads in each place.
  private var places: [String: [[UInt8]]] = [:]
  private var counters: [String: Int] = [:]
  private var withoutLife: [String] = []

  package init(_ dump: RedisDump) {
    let keys = QueueKeys(dump.queue)
    var lives: Set<String> = []
    if case .sortedSet(let workers)? = dump.values[keys.workers] {
      lives = Set(workers.map { String(decoding: $0.element, as: UTF8.self) })
    }
    for (key, value) in dump.values {
      switch value {
      case .list(let elements) where key == keys.list:
        places["waiting"] = elements
      case .sortedSet(let members) where key == keys.later:
        places["scheduled"] = members.map(\.element)
      case .sortedSet(let members) where key == keys.dead:
        places["dead"] = members.map(\.element)
      case .hash(let fields) where key == keys.stats:
        counters = fields.mapValues { Int(String(decoding: $0, as: UTF8.self)) ?? 0 }
      case .hash(let fields) where key == keys.moving:
        // Of some a stand-in is in the list, which counts for them.
        let gone = fields["gone"].flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 0
        places["moving"] = Array(
          fields.filter { Int($0.key) != nil }.sorted { $0.key < $1.key }.map(\.value).prefix(gone)
        )
      case .hash(let claims) where key.hasPrefix(keys.claimedPrefix):
        let life = String(key.dropFirst(keys.claimedPrefix.count))
        places["claimed by \(life)"] = Array(claims.values)
        if !lives.contains(life) { withoutLife.append(life) }
      default:
        break
      }
    }
    places = places.mapValues { $0.map { Element($0).payload } }
  }

  /// How many messages there are, or were sent, or expired, or went from the dead letters for good, that no script counted
  /// as pushed: those that came by a plain LPUSH. No script changes it.
  package var balance: Int {
    let here = places.values.reduce(0) { $0 + $1.count }
    let gone = [
      "sent", "expired", "dead_dropped", "dead_removed", "cancelled", "purged", "moved_out",
    ].reduce(0) { $0 + counters[$1, default: 0] }
    return here + gone - counters["pushed", default: 0] - counters["moved_in", default: 0]
  }

  /// What is wrong, a line each; empty if nothing is.
  ///
  /// - Parameter plainPushes: how many messages came by a plain LPUSH.
  package func violations(plainPushes: Int = 0) -> [String] {
    var violations = withoutLife.map { "\($0) holds claims and is not among the workers: nobody recovers them" }
    let missing = plainPushes - balance
    if missing != 0 {
      let counts = places.mapValues(\.count)
      violations.append("\(missing) messages are missing (negative: too many) of \(counts), counters \(counters)")
    }
    return violations + doubles
  }

  /// Payloads that are in two places, or twice in one. For tests that push no payload twice.
  package var doubles: [String] {
    var seen: [[UInt8]: String] = [:]
    var doubles: [String] = []
    for (place, payloads) in places.sorted(by: { $0.key < $1.key }) {
      for payload in payloads {
        if let first = seen.updateValue(place, forKey: payload) {
          doubles.append("\(String(decoding: payload, as: UTF8.self)) is \(first) and \(place)")
        }
      }
    }
    return doubles
  }
}
