import Foundation
import Testing

@testable import SMS

/// What Twilio's calculator (sms-segments-calculator 1.2.0) was seen to answer, in Data/.
@Suite("Segments, beside Twilio's calculator")
struct TwilioCountTests {
  private static func lines(_ name: String) throws -> [Substring] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Data")
    return try String(contentsOf: folder.appending(path: name), encoding: .utf8).split(separator: "\n")
  }

  private static func objects<Line: Decodable>(_ name: String, _: Line.Type = Line.self) throws -> [Line] {
    try lines(name).map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
  }

  private struct Published: Decodable {
    struct Claim: Decodable {
      let encoding: String?
      let units: Int?
      let segments: Int?
    }

    let source: String
    let text: String
    let encoding: String
    let segments: Int
    /// What its publisher says, where that is something else.
    let published: Claim?
  }

  @Test("Every text that ten libraries publish counts as the calculator counts it")
  func published() throws {
    let texts: [Published] = try Self.objects("segments-published.jsonl")
    #expect(texts.count == 423)
    for text in texts {
      let counted = Segmentation(of: text.text)
      #expect(counted.encoding.rawValue == text.encoding && counted.segments == text.segments, "\(text)")
    }
    // They encode as they are told to, have national tables, or always leave room for a header.
    #expect(
      texts.filter { $0.published != nil }.map(\.source) == [
        "split-sms-json", "split-sms-json", "split-sms-json", "instasent-shift(TR)", "instasent-shift(ES)",
        "instasent-shift(PT)", "gosmpp", "gosmpp", "gosmpp", "warthog618(urdu table)", "warthog618(urdu table)",
      ]
    )
    // The one that no message may hold, though its count is the same.
    #expect(texts.filter { $0.text.unicodeScalars.contains("\0") }.map(\.text) == ["\0"])
  }

  private struct Cluster: Decodable {
    let text: String
    /// The segments of 134 units in all, where 1, 2, 3... of the text's units fit into the first part.
    let segments: String
  }

  @Test(
    "Emoji, scripts with conjuncts, and random clusters count as in the calculator, wherever a part's end meets them"
  )
  func clusters() throws {
    let clusters: [Cluster] = try Self.objects("segments-clusters.jsonl")
    #expect(clusters.count == 3913)
    for cluster in clusters {
      let units = cluster.text.utf16.count
      let counted = (1..<units).map { fit in
        let text = Self.filler(67 - fit) + cluster.text + Self.filler(67 + fit - units)
        return String(Segmentation(of: text).segments)
      }
      #expect(counted.joined() == cluster.segments, "\(cluster.text.unicodeScalars.map(\.value))")
    }
  }

  @Test("The first and the last scalar of each class belong to what is before or behind them as in the calculator")
  func scalars() throws {
    var known: Set<UInt32> = []
    for line in try Self.lines("segments-scalars.tsv") {
      let columns = line.split(separator: "\t")
      let value = try #require(UInt32(columns[0], radix: 16))
      let scalar = try #require(Unicode.Scalar(value))
      known.insert(value)
      let joins = Self.probes(String(scalar)).map { before, behind in
        let text = Self.filler(67 - before.utf16.count) + before + behind + Self.filler(67 - behind.utf16.count)
        return Segmentation(of: text).segments == 3 ? "1" : "0"
      }
      #expect(joins.joined() == columns[1], "U+\(columns[0])")
    }
    // What is between them is of their class: the table changes nowhere else.
    for run in GraphemeBreak.runs.dropFirst() where !(0xD800...0xE000).contains(run >> 4) {
      #expect(known.contains(run >> 4) && known.contains((run >> 4) - 1), "U+\(String(run >> 4, radix: 16))")
    }
  }

  /// What ends a part and what begins the next, in the order of the file's columns.
  private static func probes(_ scalar: String) -> [(String, String)] {
    [
      ("中", scalar), (scalar, "中"), (scalar, "\u{301}"), ("👦", scalar), (scalar, "🏻"), ("中\u{200D}", scalar),
      ("🇩", scalar),
      ("\u{1100}", scalar), ("\u{1160}", scalar), ("\u{11A8}", scalar), (scalar, "\u{1160}"), (scalar, "\u{11A8}"),
      ("中" + scalar, "👦"), ("👦" + scalar, "🏻"),
    ]
  }

  private static func filler(_ units: Int) -> String { String(repeating: "中", count: units) }
}
