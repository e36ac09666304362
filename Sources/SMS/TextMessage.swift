package struct TextMessage: Sendable, Equatable {}
