import MessageQueue
import RedisClient

// How a worker with nothing to do learns that there is something: it blocks in BLPOP on the queue's bell, on a connection
// of its own.
//
// A worker with empty hands sends its next claim right behind the BLPOP. Redis carries it out in the moment in which the
// bell rings or the time is over, and the messages come with the bell: they need no second round trip, which is most of
// the time between push and dispatch. Such a claim is one like any other: it has the next number, and if its answer is
// lost, it is repeated as a turn. While it is under way, nothing else claims from this queue, and what it may bring is
// kept free.
extension Worker {
  /// Sends for the bell, unless the worker's hands are full: it must not take wake tokens that idle workers wait for.
  func listen(_ session: QueueSession) {
    guard claimLimit(session) > 0, session.isRegistered, !session.isListening, !session.mayHaveMessages else { return }
    session.isListening = true
    session.claimBehindBell = mayClaimBehindBell(session) ? claimRequest(session, most: mostBehindBell) : nil
    // Redis looks for waits that are over ten times a second (its `hz`), so a wait is up to 100 ms longer than asked for.
    let wait = max(options.wakeTimeout / 2, options.wakeTimeout - .milliseconds(100))
    let untilDue = session.nextDue.map { max(.milliseconds(1), $0 - .now) } ?? wait
    Task { await listen(session, atMost: min(wait, untilDue)) }
  }

  private func mayClaimBehindBell(_ session: QueueSession) -> Bool {
    inHand == 0 && session.unsettled.isEmpty && session.unanswered == nil && mostBehindBell > 0
      && !sessions.contains { $0.blockedSince != nil }
  }

  /// How many messages may come with a bell. Of several queues each gets so few that, while it is quiet, the others lose
  /// next to nothing by it: a fifth of the room for all of them together, or half of it where that is too little.
  private var mostBehindBell: Int {
    if sessions.count == 1 { return options.concurrency }
    let share = max(1, options.concurrency / (5 * sessions.count))
    return share * sessions.count <= options.concurrency / 2 ? share : 0
  }

  private static var pauseAfterError: Duration { .milliseconds(250) }

  private func listen(_ session: QueueSession, atMost timeout: Duration) async {
    let request = session.claimBehindBell
    do throws(RedisError) {
      if let request {
        let (refusal, claimed) = try await session.bell.wait(atMost: timeout, claiming: request)
        session.claimBehindBell = nil
        // What an older life has claimed was never started, and is another worker's now.
        if request.life == session.life {
          note(claimed, to: request, session, mayStart: control.phase == .running)
        }
        if let refusal { throw refusal }
      } else {
        _ = try await session.bell.wait(atMost: timeout)
        session.mayHaveMessages = true
      }
    } catch {
      // The loop is to look for itself, and it is the loop that reports errors.
      session.mayHaveMessages = true
      if let request, request.life == session.life, session.claimBehindBell != nil {
        session.unanswered = QueueSession.Turn(settling: [], request: request, isRepeat: true)
      }
      session.claimBehindBell = nil
      control.ring()
      // An error comes back at once; without a pause this would spin.
      if error.code != .interrupted { try? await Task.sleep(for: min(timeout, Self.pauseAfterError)) }
    }
    session.isListening = false
    control.ring()
  }
}
