/// What became of the lines of a file that was pushed.
struct PushSummary: Encodable {
  var lines = 0
  var queued = 0
  private(set) var duplicates = 0
  /// The first lines whose ids were used before; nil where there are none.
  private(set) var duplicateLines: [Int]?
  var refused = 0
  private var duplicateList = LineList()
  /// Where they do not come in their order: it is made at the end.
  private var unsorted: [Int] = []

  private enum CodingKeys: CodingKey {
    case lines, queued, duplicates, duplicateLines, refused
  }

  /// - Parameter isInOrder: it is greater than all before it.
  mutating func noteDuplicate(_ line: Int, isInOrder: Bool) {
    duplicates += 1
    if !isInOrder || !unsorted.isEmpty { return unsorted.append(line) }
    duplicateList.append(line)
    duplicateLines = duplicateList.lines
  }

  /// To be called when all lines have gone.
  mutating func sortDuplicates() {
    if unsorted.isEmpty { return }
    // Those that were in order came before the queue was known to have shards; some of the others may have been ahead of them.
    for line in unsorted.sorted() { duplicateList.append(line) }
    (duplicateLines, unsorted) = (duplicateList.lines, [])
  }

  var text: String {
    var parts = ["\(queued) message\(queued == 1 ? "" : "s") queued"]
    if duplicates > 0 {
      parts.append("\(duplicates) left out, with ids that were used before (\(duplicateList))")
    }
    if refused > 0 { parts.append("\(refused) line\(refused == 1 ? "" : "s") refused") }
    return parts.joined(separator: ", ")
  }
}
