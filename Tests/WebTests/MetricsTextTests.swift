import Testing

@testable import Web

@Suite("Metrics as Prometheus reads them")
struct MetricsTextTests {
  @Test("A family says its help and its type once, and each sample with its labels")
  func family() {
    var text = MetricsText()
    text.family("smsq_things_total", .counter, "Things.", [(["a": "1", "b": "x"], 3), ([:], 0.25)])
    text.family("smsq_none_total", .counter, "Nothing.", [])
    let expected = """
      # HELP smsq_things_total Things.
      # TYPE smsq_things_total counter
      smsq_things_total{a="1",b="x"} 3
      smsq_things_total 0.25

      """
    #expect(text.text == expected)
  }

  @Test(
    "A label's value may hold anything",
    arguments: [(#"a"b"#, #"a\"b"#), ("a\nb", #"a\nb"#), (#"\"#, #"\\"#), ("你", "你")]
  )
  func label(value: String, escaped: String) { #expect(MetricsText.escaped(value) == escaped) }

  @Test("Numbers are written as they are", arguments: [(0, "0"), (-2.5, "-2.5"), (1e20, "1e+20"), (.infinity, "+Inf")])
  func number(value: Double, text: String) { #expect(MetricsText.number(value) == text) }

  @Test("A histogram counts up to the number of all, and what lies on a bound belongs to it")
  func histogram() {
    var histogram = Histogram()
    for seconds in [0, 0.001, 0.0011, 1, 40] { histogram.add(seconds) }
    var text = MetricsText()
    text.family("smsq_time_seconds", "Time.", [(["g": "x"], histogram)])
    let lines = text.text.split(separator: "\n").map(String.init)
    #expect(lines[2] == #"smsq_time_seconds_bucket{g="x",le="0.001"} 2"#)
    #expect(lines[3] == #"smsq_time_seconds_bucket{g="x",le="0.005"} 3"#)
    #expect(lines.contains(#"smsq_time_seconds_bucket{g="x",le="1"} 4"#))
    #expect(
      lines.suffix(3) == [
        #"smsq_time_seconds_bucket{g="x",le="+Inf"} 5"#, #"smsq_time_seconds_sum{g="x"} 41.0021"#,
        #"smsq_time_seconds_count{g="x"} 5"#,
      ]
    )
    let counts = lines.filter { $0.contains("_bucket") }.compactMap { Int($0.split(separator: " ").last ?? "") }
    #expect(counts == counts.sorted() && counts.count == Histogram.bounds.count + 1)
  }
}
