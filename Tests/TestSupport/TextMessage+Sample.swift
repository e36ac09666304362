import SMS

extension TextMessage {
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
