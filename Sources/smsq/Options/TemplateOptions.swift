import ArgumentParser
import SMS

/// A text that the provider has, in the place of one: how mainland Chinese providers send.
struct TemplateOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("In place of a text, the provider's name for one that it has, such as SMS_1.", valueName: "name")
  )
  var template: String?

  @Option(
    name: .customLong("template-param"),
    help: ArgumentHelp(
      "What to put into the template: name=value for each, or values alone in their order.",
      valueName: "name=value"
    )
  )
  var templateParameters: [String] = []

  @Option(help: ArgumentHelp("The signature that the provider puts before the text, such as 阿里云.", valueName: "name"))
  var sign: String?

  var isEmpty: Bool { template == nil && templateParameters.isEmpty && sign == nil }

  func validate() throws {
    if template == nil && !templateParameters.isEmpty {
      throw ValidationError("--template-param is about a --template: give its name as well.")
    }
    do {
      _ = try parameters
    } catch {
      throw ValidationError("--template-param: \(error).")
    }
  }

  private var parameters: TemplateParameters? {
    get throws(MessageError) {
      templateParameters.isEmpty ? nil : try TemplateParameters(arguments: templateParameters)
    }
  }

  /// The payload of a message that the command line gives: what it says beside these options comes first.
  func payload(_ members: [(key: String, value: String)]) throws(MessageError) -> [UInt8] {
    let own = [("template", template), ("sign", sign)].compactMap { key, value in value.map { (key: key, value: $0) } }
    return PreparedMessage.payload(members + own, parameters: try parameters)
  }

  /// - Throws: `ValidationError` where there is no text nor template, or both.
  func checkContent(beside text: String?) throws(ValidationError) {
    if text == nil && template == nil {
      throw ValidationError("A message needs --text, or --template in its place.")
    }
    if text != nil && template != nil { throw ValidationError("Give --text or --template, not both.") }
  }
}
