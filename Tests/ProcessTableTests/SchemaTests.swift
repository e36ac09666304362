import Foundation
import GRDB
import TestSupport
import Testing

@Suite struct SchemaTests {
  let database: TestDatabase

  init() throws { database = try TestDatabase() }

  @Test func `Parameters are all that a row needs, and NUL, quotes and a megabyte survive`() async throws {
    let text = "a'b\"c;\n\u{0}" + String(repeating: "x", count: 1 << 20)
    let json = String(decoding: try JSONSerialization.data(withJSONObject: ["text": text]), as: UTF8.self)
    try await database.execute("INSERT INTO process (parameters) VALUES (?)", [json])
    let row = try #require(try await database.table.row(1))
    #expect(row.action == .send && row.state == .waiting && row.attempts == 0 && row.parameters == json)
    #expect(abs(row.dueAt - row.createdAt) <= 1 && row.idempotencyKey.count == 32)
    let now = Int64(Date().timeIntervalSince1970 * 1000)
    #expect(abs(row.dueAt - now) < 60_000)
  }

  @Test(arguments: [
    "INSERT INTO process (parameters) VALUES ('{\"to\":')",
    "INSERT INTO process (parameters) VALUES (x'7b7d')",
    "INSERT INTO process (parameters) VALUES (NULL)",
    "INSERT INTO process (parameters, action) VALUES ('{}', 'shell')",
    "INSERT INTO process (parameters, state) VALUES ('{}', 'Done')",
    "INSERT INTO process (parameters, due_at) VALUES ('{}', 'tomorrow')",
    "INSERT INTO process (parameters, idempotency_key) VALUES ('{}', '')",
    "INSERT INTO process (parameters, idempotency_key) VALUES ('{}', x'6b6579')",
  ])
  func `What could never be done is refused to whoever writes it`(_ sql: String) async throws {
    await #expect(throws: DatabaseError.self) { try await database.execute(sql) }
  }

  @Test func `A row comes with the transaction that it belongs to, or not at all`() async throws {
    try await database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    try? await database.application.write { db in
      try db.execute(sql: "INSERT INTO orders DEFAULT VALUES")
      try db.execute(sql: #"INSERT INTO process (parameters) VALUES ('{"to":"+8613800138000","text":"thanks"}')"#)
      throw CocoaError(.userCancelled)
    }
    #expect(try await database.count("true") == 0)
  }

  /// The statements that docs/cron.md shows are what people copy.
  @Test func `Every statement in the documentation works`() async throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
    let text = try String(contentsOf: root.appendingPathComponent("docs/cron.md"), encoding: .utf8)
    let blocks = text.components(separatedBy: "```sql\n").dropFirst().map { $0.components(separatedBy: "```")[0] }
    #expect(blocks.count >= 2)
    try await database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, mobile TEXT)")
    for block in blocks { try await database.application.writeWithoutTransaction { db in try db.execute(sql: block) } }
    let errors = try await SmsqProcess.run("cron", "--database", database.path, "--redis", "unix:///nowhere").errors
    #expect(!errors.contains("dead"), "\(errors)")
  }
}
