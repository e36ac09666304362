import Foundation

@testable import SMS

/// Numbers and what libphonenumber says of them, as Tests/NumberingPlans/vectors.py writes them.
struct NumberVectors {
  struct Vector {
    let source: Substring
    /// Nil where libphonenumber knows no number that it could be.
    let number: Substring?
    let defaultCountryCode: String
    let text: Substring
  }

  static let folder = URL(fileURLWithPath: #filePath)
    .appendingPathComponent("../../../NumberingPlans").standardizedFileURL
  let vectors: [Vector]

  init(_ rows: String) {
    vectors = rows.split(separator: "\n").filter { !$0.hasPrefix("#") }.flatMap { row in
      let fields = row.split(separator: "\t")
      return fields.dropFirst(3).map { text in
        Vector(
          source: fields[0],
          number: fields[1] == "-" ? nil : fields[1],
          defaultCountryCode: String(fields[2]),
          text: text.hasPrefix("?") ? text.dropFirst() : text
        )
      }
    }
  }

  /// How our reading of them compares.
  struct Comparison {
    var same = 0
    var refused = 0
    /// Read as another number.
    var wrong: [String] = []
    /// Read as a number, though libphonenumber knows none. Only a number with + or 00 in front may be.
    var unknown: [String] = []

    var refusedShare: Double { Double(refused) / Double(same + refused + wrong.count + unknown.count) }
  }

  func compared() -> Comparison {
    var result = Comparison()
    for vector in vectors {
      guard let read = try? PhoneNumber(String(vector.text), defaultCountryCode: vector.defaultCountryCode).e164 else {
        result.refused += 1
        continue
      }
      let shown =
        "\(vector.source): '\(vector.text)' with \(vector.defaultCountryCode) is \(vector.number ?? "none"), not \(read)"
      if let number = vector.number {
        if read == number { result.same += 1 } else { result.wrong.append(shown) }
      } else {
        result.unknown.append(shown)
      }
    }
    return result
  }
}
