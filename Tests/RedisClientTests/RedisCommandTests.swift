import Testing

@testable import RedisClient

@Suite("RedisCommand")
struct RedisCommandTests {
  @Test("Arguments are written with their lengths in bytes, whatever they hold")
  func arguments() {
    var command = RedisCommand("SET", "ключ")
    command.append("")
    command.append([0x0D, 0x0A, 0x24, 0xFF])
    command.append(-42)
    #expect(command.count == 5)
    let written =
      Array("$3\r\nSET\r\n$8\r\nключ\r\n$0\r\n\r\n$4\r\n\r\n$".utf8) + [0xFF] + Array("\r\n$3\r\n-42\r\n".utf8)
    #expect(command.bytes == written)
  }

  @Test("The header has the number of arguments", arguments: [0, 7, 10, 4_321])
  func header(count: Int) { #expect(RedisCommand.header(count) == Array("*\(count)\r\n".utf8)) }
}
