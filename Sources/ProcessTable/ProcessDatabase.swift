import Foundation
import GRDB

/// One SQLite file with the process table and the outbox, open on one connection.
///
/// WAL, so that readers and the one writer do not wait for each other; a busy timeout, so that writers wait for one
/// another instead of failing; every transaction that writes begins IMMEDIATE, because one that starts by reading and
/// then writes is refused without waiting when another was faster.
package final class ProcessDatabase: Sendable {
  package enum Access: Sendable {
    /// The file must be there, and have smsq's tables; they are brought up to date.
    case readWrite
    /// The file is made if it is missing, but not its directory. So are the tables, also in an application's own database.
    case create
    /// The file must be there and is not written, not even to bring its tables up to date.
    case readOnly
  }

  package let path: String
  private let queue: DatabaseQueue

  /// - Parameters:
  ///   - busyTimeout: how long a write waits for the writes of others.
  ///   - isDurable: whether a commit is on disk when it returns, so that it survives the machine's crash. Without it a
  ///     commit survives the process's death, and the file stays whole in any case.
  /// - Throws: ``TableError``.
  package init(
    path: String,
    access: Access,
    busyTimeout: Duration = .seconds(10),
    isDurable: Bool = true
  ) throws(TableError) {
    self.path = path
    do {
      let folder = (path as NSString).deletingLastPathComponent
      guard access != .create || folder.isEmpty || FileManager.default.fileExists(atPath: folder) else {
        throw TableError(.notFound, "there is no directory \(folder) for the database: make it. Is --database right?")
      }
      guard access == .create || FileManager.default.fileExists(atPath: path) else {
        throw TableError(.notFound, "there is no database \(path); `smsq table init` makes it. Is --database right?")
      }
      var configuration = Configuration()
      configuration.label = "smsq"
      configuration.readonly = access == .readOnly
      configuration.journalMode = .wal
      if access == .readWrite {
        // Before the journal's mode is changed: where --database is a slip, another application's file stays as it is.
        configuration.prepareDatabase { db in
          if try Schema.migrator.appliedMigrations(db).isEmpty { throw Self.lacksTables(path) }
        }
      }
      configuration.busyMode = .timeout(busyTimeout / .seconds(1))
      queue = try Self.alone(in: folder.isEmpty ? "." : folder, within: busyTimeout) {
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        if access == .readOnly {
          try queue.read { db in try Self.check(db, path) }
        } else {
          // GRDB's WAL mode leaves it at NORMAL, which a crash of the machine can cost the last commits.
          if isDurable { try queue.inDatabase { db in try db.execute(sql: "PRAGMA synchronous = FULL") } }
          try Self.migrate(queue, path)
        }
        return queue
      }
    } catch {
      throw TableError(error, path: path)
    }
  }

  /// - Throws: ``TableError``; then nothing was written.
  func write<T: Sendable>(_ updates: @Sendable (Database) throws -> T) async throws(TableError) -> T {
    do {
      // GRDB's transactions of `write` are IMMEDIATE.
      return try await queue.write(updates)
    } catch {
      throw TableError(error, path: path)
    }
  }

  func read<T: Sendable>(_ value: @Sendable (Database) throws -> T) async throws(TableError) -> T {
    do {
      return try await queue.read(value)
    } catch {
      throw TableError(error, path: path)
    }
  }

  /// Keeps other processes from opening a database in the folder meanwhile. To make one, or to bring it up to date, takes
  /// several transactions and a change of the journal's mode that heeds no busy timeout: whoever comes between two of them
  /// is refused, or lacks a table.
  ///
  /// By a lock on the folder, which leaves no file behind. Who cannot have it in time, because the folder may not be
  /// read or a stopped process holds it, goes on without.
  private static func alone<T>(in folder: String, within timeout: Duration, _ body: () throws -> T) rethrows -> T {
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    defer { if descriptor >= 0 { close(descriptor) } }
    let end = ContinuousClock.now + timeout
    while descriptor >= 0, flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK, ContinuousClock.now < end {
      // Polled, because flock(2) has no time limit, and the signal that would cut it short is the whole process's.
      usleep(1_000)
    }
    return try body()
  }

  private static func migrate(_ queue: DatabaseQueue, _ path: String) throws {
    let migrator = Schema.migrator
    // Nearly always nothing is to be done, and then nothing should be written either: a crontab opens the file each minute.
    if try queue.read(migrator.hasCompletedMigrations) { return try queue.read { db in try check(db, path) } }
    try migrator.migrate(queue)
  }

  private static func check(_ db: Database, _ path: String) throws {
    let migrator = Schema.migrator
    if try migrator.hasBeenSuperseded(db) {
      throw TableError(.unusable, "\(path) was made by a newer smsq: use that one")
    }
    if try !migrator.hasCompletedMigrations(db) { throw lacksTables(path) }
  }

  private static func lacksTables(_ path: String) -> TableError {
    TableError(.unusable, "\(path) lacks smsq's tables: `smsq table init` makes them. Is --database right?")
  }

  /// The present by this machine's clock, in Unix milliseconds. A SQLite file in WAL mode is shared by processes of one
  /// machine only, so it is everybody's clock.
  package static func now() -> Int64 { Int64((Date().timeIntervalSince1970 * 1000).rounded()) }
}
