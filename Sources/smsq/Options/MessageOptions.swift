import ArgumentParser
import SMS

struct SenderOption: ParsableArguments {
  @Option(
    help: ArgumentHelp("The sender: a name of at most 11 characters, a number, or a signature.", valueName: "sender")
  )
  var from: String?

  /// Refuses a sender that would spoil every line of a file: one mistake, and told before anything is done. That of a
  /// single message is told with what else is wrong with it.
  func checkForFile() throws(ValidationError) {
    do {
      if let from { try SenderID.check(from) }
    } catch {
      throw ValidationError("--from: \(error).")
    }
  }
}

struct MaxSegmentsOption: ParsableArguments {
  /// The room of Twilio's 1,600 characters, in segments of 160.
  static let standard = 10

  @Option(
    help: ArgumentHelp("Refuse a text of more segments, each billed as one SMS; at most 255.", valueName: "number")
  )
  var maxSegments = standard

  func validate() throws {
    if !(1...TextMessage.maximumSegments).contains(maxSegments) {
      throw ValidationError(
        "--max-segments is \(maxSegments): write 1 to \(TextMessage.maximumSegments), the most that a telephone can join."
      )
    }
  }
}

struct CountryCodeOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Country code of numbers without +, such as 86: they are read as dialled there, or with this code in front.",
      valueName: "code"
    )
  )
  var defaultCountryCode: String?

  func validate() throws {
    guard let code = defaultCountryCode else { return }
    do {
      _ = try PhoneNumber.countryCode(code)
    } catch {
      throw ValidationError("--default-country-code: \(error).")
    }
  }
}
