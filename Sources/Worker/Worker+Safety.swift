import Logging
import RedisClient

// A Redis that may lose messages is named when the worker meets it, and when it is back: it may be another one by then.
extension Worker {
  /// Says of each setting that may lose messages what it is, unless it was said before and nothing has changed.
  ///
  /// - Throws: what asks for another try. A Redis that does not let us ask is itself a thing to warn of.
  func checkSafety() async throws(RedisError) {
    if isSafetyKnown { return }
    var found: [Finding]
    do {
      found = RedisSafety.hazards(try await commands.info(), replicas: options.replicas)
    } catch {
      guard error.treatment == .denied || error.treatment == .refused else { throw error }
      found = [
        Finding("info", .warning, "not permitted", hint: "settings that lose messages cannot be seen; ACL: +info")
      ]
    }
    isSafetyKnown = true
    for hazard in found where !hazards.contains(hazard) {
      logger.warning(
        "redis-unsafe",
        metadata: ["setting": "\(hazard.check)", "value": "\(hazard.found)", "hint": "\(hazard.hint ?? "")"]
      )
    }
    hazards = Set(found)
  }
}
