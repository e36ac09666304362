import CHTTP
import Glibc

/// What the thread of an ``HTTPClient`` does: takes what is to be sent, lets libcurl send it, and hands on what came back.
struct HTTPLoop {
  private let client: HTTPClient
  private var set: OpaquePointer
  /// Those that are over, for the next ones.
  private var spare: [OpaquePointer] = []
  private var inFlight: [OpaquePointer: HTTPClient.Transfer] = [:]
  /// It may have connections.
  private var isUsed = false

  /// Ours, in bytes. An outcome takes a few hundred.
  private static let mostBytes = 64 * 1024
  /// Ours: to make one anew takes longer than to keep it, and all of them go when it is idle.
  private static let mostSpare = 10_000
  /// In ms. Connections are not used again when they have been idle for longer (CURLOPT_MAXAGE_CONN in curl.c): close them.
  private static let idle: Int32 = 5000

  init(for client: HTTPClient, _ set: OpaquePointer) {
    self.client = client
    self.set = set
  }

  mutating func run() {
    while true {
      let orders = client.takeOrders()
      for transfer in orders.begin { begin(transfer) }
      for transfer in orders.giveUp { giveUp(transfer) }
      if orders.isStopping { break }
      chttp_set_perform(set)
      while let handle = chttp_set_next_over(set) { finish(handle) }
      wait()
    }
    for transfer in inFlight.values { giveUp(transfer) }
    client.ended()
    close(set)
  }

  /// libcurl keeps its own times within this one.
  private mutating func wait() {
    if !inFlight.isEmpty { return chttp_set_wait(set, 60_000) }
    if !isUsed { return chttp_set_wait(set, .max) }
    let start = ContinuousClock.now
    chttp_set_wait(set, Self.idle)
    // Woken before, there is something to do.
    guard ContinuousClock.now - start >= .milliseconds(Int(Self.idle) - 10), let fresh = chttp_set_new() else { return }
    let old = set
    set = fresh
    client.replace(fresh)
    close(old)
    isUsed = false
  }

  private mutating func close(_ set: OpaquePointer) {
    for handle in spare { chttp_request_free(handle) }
    spare = []
    chttp_set_free(set)
  }

  private mutating func begin(_ transfer: HTTPClient.Transfer) {
    isUsed = true
    guard let handle = spare.popLast() ?? newHandle() else {
      return complete(transfer, .success(.notSent("memory is out")))
    }
    let request = transfer.request
    let headers = request.headers.map { strdup($0) }
    defer { for header in headers { free(header) } }
    let pointers = headers.map { UnsafePointer($0) }
    let context = Unmanaged.passUnretained(transfer).toOpaque()
    let hasBegun = chttp_request_begin(handle, set, pointers, pointers.count, request.body, request.body.count, context)
    guard hasBegun else {
      chttp_request_free(handle)
      return complete(transfer, .success(.notSent("memory is out")))
    }
    transfer.handle = handle
    inFlight[handle] = transfer
  }

  private func newHandle() -> OpaquePointer? {
    let options = client.options
    return options.url.withCString { url in
      options.userAgent.withCString { userAgent in
        withOptionalCString(options.caFile) { caFile in
          withOptionalCString(options.login?.user) { user in
            withOptionalCString(options.login?.password) { password in
              var settings = chttp_settings(
                url: url,
                user: user,
                password: password,
                ca_file: caFile,
                user_agent: userAgent,
                timeout_ms: Int(options.timeout / .milliseconds(1)),
                connect_timeout_ms: Int(options.connectTimeout / .milliseconds(1)),
                most_bytes: Self.mostBytes,
                may_begin: { Unmanaged<HTTPClient.Transfer>.fromOpaque($0!).takeUnretainedValue().mayBegin() }
              )
              return chttp_request_new(&settings)
            }
          }
        }
      }
    }
  }

  private mutating func finish(_ handle: OpaquePointer) {
    let result = chttp_request_result(handle)
    chttp_request_end(handle, set)
    guard let transfer = inFlight.removeValue(forKey: handle) else { return chttp_request_free(handle) }
    let outcome: Result<HTTPOutcome, any Error> =
      result.was_kept_back ? .failure(NotHandedOver()) : .success(HTTPOutcome(result))
    if spare.count < Self.mostSpare { spare.append(handle) } else { chttp_request_free(handle) }
    complete(transfer, outcome)
  }

  private mutating func giveUp(_ transfer: HTTPClient.Transfer) {
    guard let handle = transfer.handle else { return }
    let wasHandedOver = chttp_request_result(handle).was_handed_over
    inFlight[handle] = nil
    chttp_request_end(handle, set)
    chttp_request_free(handle)
    complete(transfer, .failure(wasHandedOver ? CancellationError() : NotHandedOver()))
  }

  private func complete(_ transfer: HTTPClient.Transfer, _ outcome: Result<HTTPOutcome, any Error>) {
    transfer.handle = nil
    transfer.completion(outcome)
  }
}

extension HTTPOutcome {
  /// The certificate does not verify; the file of authorities cannot be used (CURLE_... in curl/curl.h).
  private static let certificateFaults: Set<Int32> = [60, 77]
  /// It would have to be sent once more.
  private static let wouldRepeat: Set<Int32> = [42, 65]

  init(_ result: chttp_result) {
    if result.code == 0 {
      self = .answered(
        HTTPAnswer(
          status: Int(result.status),
          head: String(decoding: UnsafeRawBufferPointer(start: result.head, count: result.head_count), as: UTF8.self),
          body: Array(UnsafeRawBufferPointer(start: result.body, count: result.body_count)),
          isCut: result.is_cut
        )
      )
      return
    }
    let words = String(cString: result.words)
    if !result.was_handed_over {
      let hint = Self.certificateFaults.contains(result.code) ? " (--gateway-ca names an authority's certificate)" : ""
      self = .notSent(words + hint)
    } else if Self.wouldRepeat.contains(result.code) {
      self = .noAnswer("the server closed the connection behind the request")
    } else {
      self = .noAnswer(words)
    }
  }
}

private func withOptionalCString<Result>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Result) -> Result {
  guard let text else { return body(nil) }
  return text.withCString(body)
}
