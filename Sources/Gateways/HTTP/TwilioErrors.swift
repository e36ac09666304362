// What Twilio's errors mean for a message. Each code has a page of its own, as twilio.com/docs/api/errors/21211, which says whether
// to wait, to change something, or to give up; the list of all is twilio.com/docs/api/errors. Here are those that sending may
// bring. Those of 30001 on come behind an acceptance as a rule, and in an answer now and then.

enum TwilioErrors {
  enum Kind: Sendable {
    /// This message will never be sent.
    case never
    /// Not sent. It may be, later.
    case later
    /// Not sent, because too many came, and no fault of the message's.
    case slower
    /// It may have been sent.
    case unknown
    /// The account, its login or the address is wrong, whatever the message: somebody has to put that right. It is tried again
    /// until then, so that no queue becomes dead letters: the worker notices that nothing works, and holds the rest back.
    case account
  }

  struct Entry: Sendable {
    let kind: Kind
    /// Ours, where Twilio's own would repeat numbers or say too little.
    let words: String?
  }

  /// - Parameter status: decides where the code is not known.
  static func entry(_ code: Int, status: Int) -> Entry {
    if let entry = table[code] { return entry }
    switch status {
    case 429: return Entry(kind: .slower, words: nil)
    case 408, 503: return Entry(kind: .later, words: nil)
    // "It is possible for a customer to receive multiple messages" (20500).
    case 500...: return Entry(kind: .unknown, words: nil)
    // No reply of Twilio's at all: another address, or something in between.
    case 300..<400, 401, 402, 403, 404, 405, 407, 410: return Entry(kind: .account, words: nil)
    default: return Entry(kind: .never, words: nil)
    }
  }

  private static let table: [Int: Entry] = {
    var table: [Int: Entry] = [:]
    func add(_ kind: Kind, _ entries: [(Int, String)]) {
      for (code, words) in entries { table[code] = Entry(kind: kind, words: words) }
    }
    add(
      .slower,
      [
        // "Requests that receive 429 responses aren't processed and are safe to retry."
        (20429, "too many requests"),
        // Ten hours' worth of messages wait at this sender.
        (21611, "the sender's queue is full"), (30001, "the sender's queue is full"),
        // 30 replies within 30 s between two numbers.
        (14107, "too many messages between two numbers"),
        (30022, "the campaign's rate is exceeded"),
        (63017, "the account's rate is exceeded"), (63018, "the channel's rate is exceeded"),
        // A window of 24 hours.
        (63038, "the account's messages of this day are used up"),
      ]
    )
    add(
      .later,
      [
        (20503, "Twilio is not available"), (21730, "Twilio is under maintenance"),
      ]
    )
    add(
      .unknown,
      [
        // "Sending an SMS is not idempotent."
        (20500, "an error at Twilio"), (20504, "Twilio took too long"), (30500, "an error at Twilio"),
        (30021, "an error at Twilio"),
      ]
    )
    add(
      .account,
      [
        (20003, "the login is refused: look at TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or the API key"),
        (20005, "the account is not active"), (20006, "the login may not do this"),
        (20008, "these are test credentials"),
        (20403, "the account may not use this: it may be suspended"),
        (20404, "no such account: look at TWILIO_ACCOUNT_SID and --gateway-url"),
        (70051, "the login is refused: look at TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or the API key"),
        (10001, "the account is not active"), (30002, "the account is suspended"),
        (21701, "there is no such messaging service: look at --gateway-from"),
        (21703, "the messaging service has no sender yet"), (21704, "the messaging service has no sender"),
        (21705, "the messaging service's SID is not valid: look at --gateway-from"),
      ]
    )
    add(
      .never,
      [
        (21211, "the recipient is not a valid number"), (21217, "the recipient is not a valid number"),
        (21212, "the sender is not a valid number"),
        (21401, "the recipient cannot receive SMS"),
        (21408, "no permission to send to the recipient's country"),
        (21601, "the sender cannot send SMS"), (21602, "the text is missing"),
        (21603, "the message names no sender, and --gateway-from is not given"), (21604, "the recipient is missing"),
        (21606, "the sender is not a number of yours that can send to the recipient"),
        (21608, "a trial account may send to verified numbers only"),
        (21609, "the callback's URL is not valid"),
        (21610, "the recipient has blocked the sender"), (21612, "no route to the recipient"),
        (21614, "the recipient cannot receive SMS"), (21617, "the text has more than 1,600 characters"),
        (21619, "the text is missing"), (21635, "the recipient is a landline"),
        (21656, "the template's variables are not valid"), (21658, "a field is too long"),
        (21659, "the sender is not a number of yours"), (21660, "the sender belongs to another account"),
        (21661, "the sender cannot send SMS"), (21712, "the sender does not belong to the messaging service"),
        (21910, "this sender cannot send to this recipient"),
        (30003, "the recipient cannot be reached"), (30004, "the recipient has blocked messages"),
        (30005, "the recipient is not known"), (30006, "the recipient is a landline, or cannot be reached"),
        (30007, "the message was filtered"), (30034, "the sender is not registered (A2P 10DLC)"),
      ]
    )
    return table
  }()
}
