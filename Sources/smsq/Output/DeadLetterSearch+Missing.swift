import ArgumentParser
import Reports

extension DeadLetterSearch {
  /// Names the ids that no letter has, once the search is through.
  ///
  /// - Throws: exit code 65 if there is one.
  func reportMissing() throws {
    for id in missing { Terminal.note("no dead letter of queue \(queue) has the id \(id.printable)") }
    if !missing.isEmpty { throw ExitCode.dataError }
  }
}
