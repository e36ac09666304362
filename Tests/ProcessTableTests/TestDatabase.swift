import Foundation
import GRDB
import ProcessTable
import TestSupport

/// A SQLite file in a directory of its own, as smsq makes it, and a plain connection to it, as any application has one.
final class TestDatabase: Sendable {
  let directory: String
  var path: String { "\(directory)/smsq.db" }
  let table: ProcessTable
  /// Knows nothing of smsq.
  let application: DatabaseQueue

  init(in folder: String = "/tmp") throws {
    directory = "\(folder)/smsq-table-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    table = ProcessTable(try ProcessDatabase(path: "\(directory)/smsq.db", access: .create))
    var configuration = Configuration()
    configuration.busyMode = .timeout(30)
    application = try DatabaseQueue(path: "\(directory)/smsq.db", configuration: configuration)
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  func execute(_ sql: String, _ arguments: StatementArguments = []) async throws {
    try await application.write { db in try db.execute(sql: sql, arguments: arguments) }
  }

  /// The first column.
  func values<T: DatabaseValueConvertible & Sendable>(_ sql: String, as type: T.Type = T.self) async throws -> [T] {
    try await application.read { db in try T.fetchAll(db, sql: sql) }
  }

  func count(_ condition: String) async throws -> Int {
    try await values("SELECT count(*) FROM process WHERE \(condition)")[0]
  }

  /// Rows that send a text to numbers of their own; `id` is the message's, too.
  func addSends(_ count: Int, action: RowAction = .send) async throws {
    _ = try await table.add(
      (0..<count).map { number in
        NewRow(
          action,
          parameters: #"{"to":"+86138\#(10_000_000 + number)","text":"message \#(number)"}"#,
          idempotencyKey: "m\(number)"
        )
      }
    )
  }

  func addCommand(_ argv: [String]) async throws {
    let json = try JSONSerialization.data(withJSONObject: ["argv": argv])
    _ = try await table.add([NewRow(.command, parameters: String(decoding: json, as: UTF8.self))])
  }
}
