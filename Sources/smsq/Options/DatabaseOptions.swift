import ArgumentParser
import Glibc
import ProcessTable

struct DatabaseOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The SQLite file with the process table and the outbox. (default: $XDG_DATA_HOME/smsq/smsq.db, "
        + "or else ~/.local/share/smsq/smsq.db)",
      valueName: "path"
    )
  )
  var database: String?

  /// - Throws: ``Failure``.
  func open(_ access: ProcessDatabase.Access, isDurable: Bool = true) throws -> ProcessDatabase {
    do {
      return try ProcessDatabase(path: try path(for: access), access: access, isDurable: isDurable)
    } catch let error as TableError {
      throw Failure(error)
    }
  }

  func table(_ access: ProcessDatabase.Access) throws -> ProcessTable { ProcessTable(try open(access)) }

  private func path(for access: ProcessDatabase.Access) throws -> String {
    if let database { return database }
    let folder = try Self.dataFolder(try variable("XDG_DATA_HOME"), home: try variable("HOME"))
    if access == .create {
      // What is ours alone is made as needed; a path that somebody wrote must be there, or it is a mistake.
      for parent in Self.parents(of: folder) { mkdir(parent, 0o700) }
    }
    return "\(folder)/smsq.db"
  }

  /// - Throws: ``Failure`` where the environment names no place, as in some containers.
  static func dataFolder(_ dataHome: String?, home: String?) throws -> String {
    // The specification has relative paths ignored.
    if let dataHome, dataHome.hasPrefix("/") { return "\(dataHome)/smsq" }
    guard let home, !home.isEmpty else {
      throw Failure("there is no HOME to keep a database in: give --database (or SMSQ_DATABASE)", .config)
    }
    return "\(home)/.local/share/smsq"
  }

  /// The folder and all above it, the outermost first.
  private static func parents(of folder: String) -> [String] {
    folder.indices.filter { folder[$0] == "/" && $0 != folder.startIndex }.map { String(folder[..<$0]) } + [folder]
  }

  /// - Throws: ``Failure`` where it is no UTF-8: SQLite would be given the name of another file.
  private func variable(_ name: String) throws -> String? {
    guard let value = getenv(name) else { return nil }
    guard let text = String(validatingCString: value) else {
      throw Failure("the environment variable \(name) is not UTF-8: give --database (or SMSQ_DATABASE)", .config)
    }
    return text
  }
}

extension Failure {
  init(_ error: TableError) {
    let code: ExitCode =
      switch error.code {
      case .notPermitted, .readOnly: .noPermission
      case .full, .busy: .tempFail
      case .unusable: .config
      case .refused: .dataError
      default: .unavailable
      }
    self.init(error.description, code)
  }
}

/// Calls the table and turns what it throws into what a command says.
func tabled<T>(_ body: () async throws(TableError) -> T) async throws -> T {
  do {
    return try await body()
  } catch {
    throw Failure(error)
  }
}
