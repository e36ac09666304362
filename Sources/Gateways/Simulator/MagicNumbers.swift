import SMS

/// Numbers that get a fixed answer, so that an application's error handling can be tried from end to end.
///
/// They are Twilio's test numbers with Twilio's error codes, which many applications' tests know already. A magic sender
/// comes before a magic recipient. Magic numbers are answered before anything is drawn.
enum MagicNumbers {
  /// Nil for a message without a magic number, and for `+15005550006`, the sender that works.
  static func answer(to message: TextMessage) -> GatewayAnswer? {
    if let from = message.from, let digit = magicDigit(from), let answer = answer(sender: digit) { return answer }
    return magicDigit(message.to.e164).flatMap(answer(recipient:))
  }

  private static func answer(sender digit: UInt8) -> GatewayAnswer? {
    switch digit {
    case UInt8(ascii: "1"): .permanentFailure(code: "21212", reason: "the sender is not a valid number")
    case UInt8(ascii: "7"): .permanentFailure(code: "21606", reason: "the sender is not a number of yours")
    case UInt8(ascii: "8"):
      .throttled(code: "21611", reason: "the sender's queue of messages is full", retryAfter: nil)
    default: nil
    }
  }

  private static func answer(recipient digit: UInt8) -> GatewayAnswer? {
    switch digit {
    case UInt8(ascii: "1"): .permanentFailure(code: "21211", reason: "the recipient is not a valid number")
    case UInt8(ascii: "2"): .permanentFailure(code: "21612", reason: "no route to the recipient")
    case UInt8(ascii: "3"): .permanentFailure(code: "21408", reason: "no permission to send to the recipient's country")
    case UInt8(ascii: "4"): .permanentFailure(code: "21610", reason: "the recipient has blocked the sender")
    case UInt8(ascii: "9"): .permanentFailure(code: "21614", reason: "the recipient cannot receive SMS")
    default: nil
    }
  }

  /// The last digit of `+1500555000n`.
  private static func magicDigit(_ number: String) -> UInt8? {
    let bytes = number.utf8
    guard bytes.count == 12, bytes.starts(with: "+1500555000".utf8) else { return nil }
    return bytes.last
  }
}
