import SMS

extension TextMessage {
  /// A message with a template, as its producer writes it.
  ///
  /// - Parameter more: further members of its payload, with a comma before each.
  package static func templateSample(
    _ more: String = "",
    to: String = "+8613800138000",
    template: String = "SMS_1",
    parameters: String = #"{"code":"123456"}"#
  ) throws -> TextMessage {
    let members = PreparedMessage.payload([("to", to), ("template", template)]).dropLast()
    let payload = String(decoding: members, as: UTF8.self) + #","template_params":\#(parameters)\#(more)}"#
    return try decode(payload: Array(payload.utf8), assignedID: "m-1", defaultCountryCode: nil)
  }

  package static func sample(
    to: String = "+8613800138000",
    text: String = "Your code is 123456",
    from: String? = nil,
    id: String = "m-1",
    expiresAt: Int64? = nil
  ) throws -> TextMessage {
    try TextMessage(
      to: PhoneNumber(to, defaultCountryCode: nil),
      text: text,
      from: from,
      id: id,
      expiresAt: expiresAt
    )
  }
}
