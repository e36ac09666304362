import Foundation

@testable import SMS

/// Numbers and what libphonenumber says of them, as Tests/NumberingPlans/vectors.py writes them.
struct NumberVectors {
  struct Vector {
    let source: Substring
    let number: Substring
    let defaultCountryCode: String
    let text: Substring
  }

  static let folder = URL(fileURLWithPath: #filePath)
    .appendingPathComponent("../../../NumberingPlans").standardizedFileURL
  let vectors: [Vector]

  init(_ rows: String) {
    vectors = rows.split(separator: "\n").filter { !$0.hasPrefix("#") }.flatMap { row in
      let fields = row.split(separator: "\t")
      // Where libphonenumber knows no number, there is nothing to compare.
      return fields[1] == "-"
        ? []
        : fields.dropFirst(3).map { text in
          Vector(
            source: fields[0],
            number: fields[1],
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
    /// Read as the digits behind its +, though libphonenumber reads another number.
    var atItsWord = 0

    var refusedShare: Double { Double(refused) / Double(same + refused + wrong.count + atItsWord) }
  }

  func compared() -> Comparison {
    var result = Comparison()
    for vector in vectors {
      guard let read = try? PhoneNumber(String(vector.text), defaultCountryCode: vector.defaultCountryCode).e164 else {
        result.refused += 1
        continue
      }
      if read == vector.number {
        result.same += 1
      } else if let written = try? WrittenNumber(String(vector.text)), written.hasPlus,
        read.utf8.dropFirst().elementsEqual(written.digits)
      {
        result.atItsWord += 1
      } else {
        result.wrong.append(
          "\(vector.source): '\(vector.text)' with \(vector.defaultCountryCode) is \(vector.number), not \(read)"
        )
      }
    }
    return result
  }
}
