import Reports
import Web
import Worker

/// What a worker shows over HTTP: `/metrics`, `/healthz`, `/readyz`. Made when it is asked for, from what was counted.
struct WorkerPages: Sendable {
  /// A worker's numbers at one moment.
  struct Numbers: Sendable {
    var queues: [(name: String, queue: WorkerMetrics.Queue)]
    var handled = HandledCounts.State()
    var gateway = ""
    var isGatewayLost = false
    var isThrottled = false
    var droppedLines = 0
    var now: Instant
  }

  let numbers: @Sendable () -> Numbers

  func answer(_ request: PageRequest) -> Page {
    switch request.path {
    case "/metrics": return Page(200, Self.metrics(numbers()), type: MetricsText.type)
    case "/healthz": return Self.page(Self.complaints(numbers()))
    case "/readyz": return Self.page(Self.obstacles(numbers()))
    case "/": return Page(200, "smsq worker: /metrics /healthz /readyz\n")
    default: return Page(404, "not here; there are /metrics, /healthz and /readyz\n")
    }
  }

  private static func page(_ complaints: [String]) -> Page {
    complaints.isEmpty ? Page(200, "ok\n") : Page(503, complaints.joined(separator: "\n") + "\n")
  }

  /// Why the worker is not well: the rule of `smsq doctor --worker`.
  static func complaints(_ numbers: Numbers) -> [String] {
    if numbers.queues.isEmpty { return ["has not claimed yet"] }
    return numbers.queues.compactMap { name, queue in
      WorkerProbe.complaint(lastClaim: queue.lastClaim.map { numbers.now - $0 }, within: WorkerProbe.patience)
        .map { "queue \(name): \($0)" }
    }
  }

  /// Why the worker takes no messages at this moment.
  static func obstacles(_ numbers: Numbers) -> [String] {
    if numbers.queues.isEmpty { return ["has not joined a queue yet"] }
    return numbers.queues.compactMap { name, queue in
      if queue.isLeaving { return "queue \(name): the worker is stopping" }
      if !queue.isRedisThere { return "queue \(name): Redis is not there" }
      guard let end = queue.leaseEnd, end > numbers.now else { return "queue \(name): the worker has no lease" }
      return nil
    }
  }

  static func metrics(_ numbers: Numbers) -> String {
    var text = MetricsText()
    text.family("smsq_build_info", .gauge, "The version of smsq.", [(["version": Version.current], 1)])

    let outcomes = numbers.handled.handled.sorted { ($0.key.queue, $0.key.outcome) < ($1.key.queue, $1.key.outcome) }
    text.family(
      "smsq_messages_handled_total",
      .counter,
      "Messages by what became of them; one that is tried again counts again.",
      outcomes.map { (["queue": $0.key.queue, "outcome": $0.key.outcome], Double($0.value)) }
    )
    func queues(_ name: String, _ kind: MetricsText.Kind, _ help: String, _ value: (WorkerMetrics.Queue) -> Double?) {
      text.family(
        name,
        kind,
        help,
        numbers.queues.compactMap { queue in value(queue.queue).map { (["queue": queue.name], $0) } }
      )
    }
    queues("smsq_messages_claimed_total", .counter, "Messages taken from the queue.") { Double($0.claimed) }
    queues("smsq_messages_in_hand", .gauge, "Messages claimed and not settled.") { Double($0.inHand) }
    queues("smsq_turns_total", .counter, "Calls to Redis that settle and claim.") { Double($0.turns) }
    queues("smsq_redis_calls_total", .counter, "Round trips to Redis, waits included.") { Double($0.calls) }
    queues("smsq_redis_outages_total", .counter, "How often Redis went away.") { Double($0.outages) }
    queues("smsq_redis_up", .gauge, "1 while Redis answers.") { $0.isRedisThere ? 1 : 0 }
    queues("smsq_lease_remaining_seconds", .gauge, "Until the lease ends unless it is renewed; 0: there is none.") {
      max(.zero, ($0.leaseEnd ?? numbers.now) - numbers.now) / .seconds(1)
    }
    queues("smsq_last_claim_age_seconds", .gauge, "Since a claim last succeeded, if only to find nothing.") {
      $0.lastClaim.map { (numbers.now - $0) / .seconds(1) }
    }

    let gateway: MetricsText.Labels = ["gateway": numbers.gateway]
    text.family(
      "smsq_gateway_failures_total",
      .counter,
      "Messages that the gateway did not take, by its own code for why.",
      numbers.handled.codes.sorted { ($0.key.outcome, $0.key.code) < ($1.key.outcome, $1.key.code) }.map {
        (["gateway": numbers.gateway, "outcome": $0.key.outcome, "code": $0.key.code], Double($0.value))
      }
    )
    text.family(
      "smsq_gateway_duration_seconds",
      "From handing a message to the gateway to its answer.",
      [(gateway, numbers.handled.gateway)]
    )
    text.family("smsq_gateway_up", .gauge, "0 while every try fails.", [(gateway, numbers.isGatewayLost ? 0 : 1)])
    text.family(
      "smsq_gateway_throttled",
      .gauge,
      "1 while the gateway is given fewer messages because it asked for that.",
      [(gateway, numbers.isThrottled ? 1 : 0)]
    )
    text.family(
      "smsq_log_lines_dropped_total",
      .counter,
      "Log lines lost to a slow reader or a full disk.",
      [([:], Double(numbers.droppedLines))]
    )
    return text.text
  }
}
