import CLinux
import Glibc
import Logging
import SMS
import Synchronization

// A gateway in another language: a program that runs beside the worker, reads one JSON line a message and writes one JSON
// line an outcome, many in flight and in any order (docs/gateways.md).
//
//     send --submit--> requests <--lines-- thread --stdin--> program
//          <--completion--      --answer-->       <-stdout--
//
// One thread does all that touches the program, with non-blocking pipes: a program that stops reading, floods, or hangs
// costs that thread and no other. Everything shared is behind one lock that is never held during I/O.
//
// A message whose answer is late ends the life of the program that has it, and no other message: that life gets nothing new,
// and another one serves while it finishes what it has (docs/decisions/0022-a-time-out-hits-one-message.md).

package final class ProgramGateway: Gateway {
  package struct Options: Sendable {
    /// How long the program may take for an answer once it has read the message, and how long messages wait for a program
    /// that reads none.
    package var timeout = Duration.seconds(30)
    /// At the end: from the end of its input to SIGTERM, and from there to SIGKILL.
    package var grace = Duration.seconds(2)
    /// The pause before a start, after the first death without an answer in between; doubled for each more, up to the
    /// second one.
    package var pauses: ClosedRange<Duration> = .milliseconds(100) ... .seconds(5)

    package init() {}
  }

  struct State {
    var requests = OpenRequests()
    var lastRef: UInt64 = 0
    var isStopping = false
    var hasEnded = false
    var whenEnded: [CheckedContinuation<Void, Never>] = []
    /// The thread has been woken and has not noticed yet: to wake it again would add nothing.
    var isWoken = false
  }

  /// The program's file name.
  package let name: String
  let command: [String]
  let options: Options
  let logger: Logger
  let errorLine: @Sendable ([UInt8]) -> Void
  let state = Mutex(State())
  /// Wakes the thread: a pipe to itself, so that one poll(2) waits for the program and for us.
  let wakePipe: (reads: Int32, writes: Int32)

  /// Starts the program.
  ///
  /// - Parameters:
  ///   - command: the program, by its path or found in PATH, and its arguments.
  ///   - errorLine: gets each line of the program's standard error, without a line feed, cut at 4 KiB. Must not block.
  package init(
    command: [String],
    options: Options = Options(),
    logger: Logger,
    errorLine: @escaping @Sendable ([UInt8]) -> Void
  ) throws(ProgramStartError) {
    self.command = command
    self.options = options
    self.logger = logger
    self.errorLine = errorLine
    name = command[0].split(separator: "/").last.map(String.init) ?? command[0]
    // Before the pipe: what throws must not leave descriptors behind.
    let program = try Coprocess.start(command)
    var ends: [Int32] = [-1, -1]
    precondition(
      clinux_pipe2(&ends, O_CLOEXEC | O_NONBLOCK) == 0,
      "the system refused a pipe; raise the limit of open files (ulimit -n)"
    )
    wakePipe = (ends[0], ends[1])
    startThread(with: program)
  }

  /// Hands the message to the program and waits for its answer.
  ///
  /// - Returns: the program's answer; the temporary failure `gateway_down` when the message was not handed over, and so
  ///   was not sent; the unknown outcome `no_answer` when it was, and no answer came, or none that can be understood.
  /// - Throws: ``NotHandedOver``; `CancellationError`, after which the program may have sent the message all the same.
  package func send(_ message: TextMessage, attempt: Attempt) async throws -> GatewayAnswer {
    let ref = state.withLock { state in
      state.lastRef += 1
      return state.lastRef
    }
    let line = ProgramRequest.line(ref: ref, message, attempt: attempt.number)
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        submit(
          ref,
          OpenRequests.Request(
            line: line,
            segments: message.segmentation?.segments,
            submitted: .now,
            mayBegin: { attempt.mayBegin(message) },
            completion: { continuation.resume(with: $0) }
          )
        )
        // The handler below may have run before there was anything to cancel.
        if Task.isCancelled { cancel(ref) }
      }
    } onCancel: {
      cancel(ref)
    }
  }

  /// Ends the program: the end of its input first, then SIGTERM, then SIGKILL.
  package func stop() async {
    await withCheckedContinuation { continuation in
      let hasEnded = state.withLock { state in
        if state.hasEnded { return true }
        state.whenEnded.append(continuation)
        state.isStopping = true
        wakeThread(&state)
        return false
      }
      if hasEnded { continuation.resume() }
    }
  }

  private func submit(_ ref: UInt64, _ request: OpenRequests.Request) {
    let isTaken = state.withLock { state in
      guard !state.isStopping else { return false }
      state.requests.submit(ref, request)
      wakeThread(&state)
      return true
    }
    if !isTaken { request.completion?(.success(.gatewayDown("the gateway is being stopped"))) }
  }

  private func cancel(_ ref: UInt64) {
    let (caller, wasHandedOver) = state.withLock { $0.requests.cancel(ref) }
    caller?(.failure(wasHandedOver ? CancellationError() : NotHandedOver()))
  }

  /// Under the lock, as the pipe goes with the last state.
  private func wakeThread(_ state: inout State) {
    if state.isWoken || state.hasEnded { return }
    state.isWoken = true
    _ = write(wakePipe.writes, [1], 1)
  }

  private func startThread(with program: Coprocess) {
    final class Entry {
      let gateway: ProgramGateway
      let program: Coprocess

      init(_ gateway: ProgramGateway, _ program: Coprocess) {
        self.gateway = gateway
        self.program = program
      }
    }
    let code = clinux_start_thread(
      nil,
      { argument in
        let entry = Unmanaged<Entry>.fromOpaque(argument!).takeRetainedValue()
        var supervisor = ProgramSupervisor(for: entry.gateway, first: entry.program)
        supervisor.run()
      },
      Unmanaged.passRetained(Entry(self, program)).toOpaque()
    )
    precondition(code == 0, "the system refused a thread (\(code)); raise the process limit (ulimit -u)")
  }
}

extension GatewayAnswer {
  /// The program never had the message: to try again cannot send it twice.
  static func gatewayDown(_ reason: String) -> GatewayAnswer {
    .temporaryFailure(code: "gateway_down", reason: reason, retryAfter: nil)
  }

  /// The program had the message and did not say what became of it: it may have been sent.
  static func noAnswer(_ reason: String) -> GatewayAnswer { .unknown(code: "no_answer", reason: reason) }
}
