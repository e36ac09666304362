import MessageQueue
import RedisClient

// How a worker with nothing to do learns that there is something: it blocks in Redis, at the queue's bell or at its
// messages, on a connection of its own.
//
// A worker with empty hands sends its next claim right behind that. Redis carries it out in the moment in which the wait
// is over, and the messages come with it: they need no second round trip. Such a claim is one like any other: it has the
// next number, and if its answer is lost, it is repeated as a turn. While it is under way, nothing else claims from this
// queue, and what it may bring is kept free.
extension Worker {
  /// Has the bell listened for beside the loop, unless the loop may do so itself.
  func listen(_ session: QueueSession) {
    guard mayListen(session), !mayBlock(session) else { return }
    let wait = beginWait(session)
    Task { await listen(session, on: session.bell, atMost: wait) }
  }

  /// Waits until there may be something to do.
  ///
  /// Where that can only be a message for the only queue, the loop blocks in the wait itself: no other thread has to be
  /// woken between push and dispatch. A stop cuts that short; all else that may ring has time until the wait is over.
  func rest() async {
    // What the gateway holds back is claimed when it may be.
    if let next = dispatcher.watch.next(), next != ringsForGatewayAt {
      ringsForGatewayAt = next
      ring(after: next - .now)
    }
    guard let session = sessions.first, let bell = session.idleBell, mayBlock(session) else {
      return await control.bell.heard()
    }
    await listen(session, on: bell, atMost: beginWait(session))
  }

  /// Not with full hands: wake tokens are for idle workers.
  private func mayListen(_ session: QueueSession) -> Bool {
    let now = ContinuousClock.now
    return claimLimit(session) > 0 && session.isRegistered && !session.isListening && !session.mayHaveMessages
      && now >= session.listenAt && now >= session.retryAt
  }

  /// Whether the loop has nothing to do, or to try again, before the wait is over.
  private func mayBlock(_ session: QueueSession) -> Bool {
    session.idleBell != nil && mayListen(session) && mayClaimBehindBell(session)
      && !(session.isDropping && mayDrop(session)) && session.lostOutcomes == 0
  }

  /// - Returns: how long to wait.
  private func beginWait(_ session: QueueSession) -> Duration {
    session.isListening = true
    session.claimBehindBell = mayClaimBehindBell(session) ? claimRequest(session, most: mostBehindBell) : nil
    // Redis looks for waits that are over ten times a second (its `hz`), so a wait is up to 100 ms longer than asked for.
    let wait = max(options.wakeTimeout / 2, options.wakeTimeout - .milliseconds(100))
    let untilNext = min(session.nextDue ?? session.renewAt, session.renewAt) - .now
    return min(wait, max(.milliseconds(1), untilNext))
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
  /// How long a worker does without a wait that Redis has refused: the next one may be granted.
  private static var pauseAfterRefusal: Duration { .seconds(10) }

  /// Where to wait. At the messages only while none were left there: else the wait ends at once, over and over where they
  /// cannot be claimed, because the queue is paused for one. And one worker alone, because a push wakes all who wait there.
  private func place(_ session: QueueSession) -> WaitingPlace {
    session.isListener && ContinuousClock.now >= session.listenAtMessagesFrom ? .messages : .bell
  }

  private func listen(_ session: QueueSession, on queue: MessageQueue, atMost timeout: Duration) async {
    let request = session.claimBehindBell
    let place = place(session)
    do throws(RedisError) {
      if let request {
        let (refusal, claimed) = try await queue.wait(at: place, atMost: timeout, claiming: request)
        session.claimBehindBell = nil
        // What an older life has claimed was never started, and is another worker's now.
        if request.life == session.life {
          note(claimed, to: request, session, mayStart: control.phase == .running)
        }
        if let refusal { throw refusal }
      } else {
        _ = try await queue.wait(at: place, atMost: timeout)
        session.mayHaveMessages = true
      }
    } catch {
      // The loop is to look for itself, and it is the loop that reports errors.
      session.mayHaveMessages = true
      if let request, request.life == session.life, session.claimBehindBell != nil {
        session.unanswered = QueueSession.Turn(settling: [], request: request, isRepeat: true)
      }
      session.claimBehindBell = nil
      if place == .messages, ![.wait, .reconnect].contains(error.treatment) {
        // A Redis that is full, or too old, or does not let us. Those who ring are still heard.
        session.listenAtMessagesFrom = .now + Self.pauseAfterRefusal
      } else {
        // An error comes back at once; without a pause this would spin.
        let pause = min(timeout, Self.pauseAfterError)
        session.listenAt = .now + pause
        ring(after: pause)
      }
    }
    session.isListening = false
    control.ring()
  }
}
