import MessageQueue
import RedisClient

// How a worker with nothing to do learns that there is something: it blocks in Redis, at the queue's bell, on a connection
// of its own. Another connection has Redis itself ring the bell for pushes that do not.
//
// A worker with empty hands sends its next claim right behind that. Redis carries it out in the moment in which the wait
// is over, and the messages come with it: they need no second round trip. Such a claim is one like any other: it has the
// next number, and if its answer is lost, it is repeated as a turn. While it is under way, nothing else claims from this
// queue, and what it may bring is kept free.
extension Worker {
  /// Has the bell listened for beside the loop, unless the loop may do so itself.
  func listen(_ session: QueueSession) async {
    guard mayListen(session), !mayBlock(session) else { return }
    await seeToPlainPushes(session)
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
    await seeToPlainPushes(session)
    await listen(session, on: bell, atMost: beginWait(session))
  }

  /// Has Redis ring for the next push that does not ring itself, unless it was asked to and that holds.
  ///
  /// Only while none were left in the queue as of the last claim: else Redis would ring at once, over and over where they
  /// cannot be claimed, because the queue is paused for one. And by few workers, because each has somebody woken by a push:
  /// by the one whose lease ends first, and by one that took the last message, for the other may be asleep in its wait.
  private func seeToPlainPushes(_ session: QueueSession) async {
    let now = ContinuousClock.now
    guard session.mustAskForRing, now >= session.ringerAt else { return }
    session.mustAskForRing = false
    let hasTaken = session.hasTaken
    session.hasTaken = false
    let untilRenewal = max(.zero, session.renewAt - now)
    // The part passes on with a renewal. The next one takes it within a wake time-out.
    let holds = session.isAlone ? Self.longestRinger : untilRenewal + min(options.wakeTimeout, Self.longestRinger)
    do throws(RedisError) {
      // A new connection must not make the renewal late.
      try await session.ringer.ringAtPush(
        atMost: holds,
        hasRung: hasTaken,
        mayConnect: untilRenewal > options.lease / 6
      )
    } catch {
      // A Redis that is full, or too old, or does not let us. Those who ring are still heard.
      session.ringerAt = .now + Self.pauseAfterRefusal
    }
  }

  /// Where no other worker is to take over. It ends with a ring for nothing, so not often; and a connection that is dead
  /// without a sign is known for it after that.
  private static var longestRinger: Duration { .seconds(120) }

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
  /// How long a worker does without rings for plain pushes, which Redis has refused: the next time they may be granted.
  private static var pauseAfterRefusal: Duration { .seconds(10) }

  private func listen(_ session: QueueSession, on queue: MessageQueue, atMost timeout: Duration) async {
    let request = session.claimBehindBell
    do throws(RedisError) {
      if let request {
        let (refusal, claimed) = try await queue.wait(atMost: timeout, claiming: request)
        session.claimBehindBell = nil
        // What an older life has claimed was never started, and is another worker's now.
        if request.life == session.life {
          note(claimed, to: request, session, mayStart: control.phase == .running)
        }
        if let refusal { throw refusal }
      } else {
        _ = try await queue.wait(atMost: timeout)
        session.mayHaveMessages = true
      }
    } catch {
      // The loop is to look for itself, and it is the loop that reports errors.
      session.mayHaveMessages = true
      if let request, request.life == session.life, session.claimBehindBell != nil {
        session.unanswered = QueueSession.Turn(settling: [], request: request, isRepeat: true)
      }
      session.claimBehindBell = nil
      // An error comes back at once; without a pause this would spin.
      let pause = min(timeout, Self.pauseAfterError)
      session.listenAt = .now + pause
      ring(after: pause)
    }
    session.isListening = false
    control.ring()
  }
}
