import Reports

extension DeadLetterView {
  /// One line, without the payload. The time is to the second, so that the columns line up.
  var line: String {
    let text =
      "\(diedAtSecond) id=\(id ?? "-") to=\(to ?? "-") failures=\(failures) crashes=\(crashes) reason=\(reason ?? "-")"
    return text.printable
  }

  /// All of it. The payload comes last, with the lines that it has.
  var text: String {
    var lines = [("id", id ?? "-"), ("queue", queue), ("died", diedAt)]
    if let shard { lines.insert(("shard", shard), at: 2) }
    if let assignedId, assignedId != id { lines.insert(("assigned id", assignedId), at: 1) }
    lines += [("failures", "\(failures)"), ("crashes", "\(crashes)"), ("reason", reason ?? "-")]
    lines += (payload ?? "").split(separator: "\n", omittingEmptySubsequences: false).enumerated().map { index, line in
      (index == 0 ? "payload" : "", String(line))
    }
    if let payloadBase64 { lines[lines.count - 1] = ("base64", payloadBase64) }
    return lines.map { name, value in
      (name + String(repeating: " ", count: 13 - name.count) + value).printable
    }.joined(separator: "\n")
  }
}
