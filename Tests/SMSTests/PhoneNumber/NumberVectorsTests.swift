import Foundation
import TestSupport
import Testing

@testable import SMS

/// Our reading of numbers beside libphonenumber's: always by what it said when `make numbers` was run last; by itself where
/// PyPI's phonenumbers is installed.
@Suite(.timeLimit(.minutes(10))) struct NumberVectorsTests {
  @Test(
    "Numbers of every region, however they are written, are read as libphonenumber reads them, or refused, and few are"
  )
  func vectors() throws {
    let rows = try String(contentsOf: NumberVectors.folder.appendingPathComponent("vectors.txt"), encoding: .utf8)
    let vectors = NumberVectors(rows)
    // 245 regions, mobile and fixed; a few have numbers of one kind alone.
    #expect(Set(vectors.vectors.map(\.source)).count >= 480)
    #expect(rows.hasPrefix("# Made by Tests/NumberingPlans/vectors.py with \(NumberingPlan.source)"))
    let comparison = vectors.compared()
    #expect(comparison.wrong == [])
    #expect(comparison.atItsWord == 0)
    #expect(comparison.same > 25_000)
    #expect(comparison.refusedShare < 0.03)
  }

  @Test(
    "Fresh numbers are read as libphonenumber reads them, or refused, and few are",
    .enabled { try await Oracle.isInstalled() }
  )
  func fresh() async throws {
    let seed = Int.random(in: 0..<1_000_000_000)
    let comparison = NumberVectors(try await Oracle.run("vectors.py", "--seed", "\(seed)", "--count", "10")).compared()
    #expect(comparison.wrong == [], "seed \(seed)")
    #expect(comparison.atItsWord == 0, "seed \(seed)")
    #expect(comparison.same > 80_000)
    #expect(comparison.refusedShare < 0.03)
  }

  @Test(
    "Of mistyped numbers none is read as another than libphonenumber reads",
    .enabled { try await Oracle.isInstalled() }
  )
  func mistyped() async throws {
    let seed = Int.random(in: 0..<1_000_000_000)
    let rows = try await Oracle.run("vectors.py", "--seed", "\(seed)", "--count", "5", "--mistakes", "20")
    let comparison = NumberVectors(rows).compared()
    #expect(comparison.wrong == [], "seed \(seed)")
    #expect(comparison.same > 10_000)
  }

  @Test("The numbering plans are those that their script makes", .enabled { try await Oracle.isInstalled() })
  func table() async throws {
    let made = FileManager.default.temporaryDirectory.appendingPathComponent("smsq-table-\(UUID().uuidString).swift")
    defer { try? FileManager.default.removeItem(at: made) }
    try await Oracle.run("table.py", made.path)
    let file = NumberVectors.folder
      .appendingPathComponent("../../Sources/SMS/PhoneNumber/NumberingPlan+Table.swift").standardizedFileURL
    let (committed, fresh) = (
      try String(contentsOf: file, encoding: .utf8), try String(contentsOf: made, encoding: .utf8)
    )
    // Another release has other facts, and that is no fault.
    guard fresh.contains(#"source = "\#(NumberingPlan.source)""#) else { return }
    #expect(committed == fresh)
  }
}

/// libphonenumber, as PyPI's phonenumbers.
private enum Oracle {
  /// Where `make numbers` has installed it, or else wherever python3 finds it.
  private static let python: String = {
    // Not standardized: the link to python3 is what tells it where its packages are.
    let installed = NumberVectors.folder.deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent(".build-numbers/bin/python").path
    return FileManager.default.isExecutableFile(atPath: installed) ? installed : "python3"
  }()

  static func isInstalled() async throws -> Bool {
    try await ChildProcess(python, ["-c", "import phonenumbers"]).end().code == 0
  }

  /// What a script of Tests/NumberingPlans writes.
  @discardableResult
  static func run(_ script: String, _ arguments: String...) async throws -> String {
    let path = NumberVectors.folder.appendingPathComponent(script).path
    let result = try await ChildProcess(python, [path] + arguments).end(within: .seconds(300))
    #expect(result.code == 0, "\(result.stderr)")
    return result.stdout
  }
}
