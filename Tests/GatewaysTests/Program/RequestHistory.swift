import Synchronization
import TestSupport

@testable import Gateways

/// A random history of requests and of two lives of a program at a time, whose pipes are known to the byte, beside what the
/// requests makes of it.
struct RequestHistory {
  /// What was wrong; empty where nothing was.
  private(set) var faults: [String] = []

  private enum Word: String { case answered, unknown, refused, down, cancelled }

  private final class Books: Sendable {
    let told = Mutex<[UInt64: [Word]]>([:])
    /// What the completion that is called next says.
    let word = Mutex(Word.answered)
    let forbidden = Mutex<Set<UInt64>>([])
  }

  private struct Pipe {
    var lines: [(ref: UInt64, start: Int, end: Int)] = []
    var given = 0
    var consumed = 0
    var isRetiring = false
  }

  private var random: SeededGenerator
  private var requests = OpenRequests()
  private let books = Books()
  private var now = ContinuousClock.now
  private var nextRef: UInt64 = 1
  private var nextLife = 2
  private var pipes: [Int: Pipe] = [1: Pipe()]
  /// Which lives have read a byte of it.
  private var readers: [UInt64: Set<Int>] = [:]
  private let timeout = Duration.seconds(10)

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  mutating func step() {
    now += .seconds(Int.random(in: 0...3, using: &random))
    let ref = UInt64.random(in: 1...nextRef, using: &random)
    guard let life = pipes.keys.sorted().randomElement(using: &random) else { return begin() }
    switch Int.random(in: 0..<12, using: &random) {
    case 0, 1: submit()
    case 2: tell([requests.cancel(ref).caller].compactMap { $0 }, .cancelled)
    case 3: _ = books.forbidden.withLock { $0.insert(ref) }
    case 4, 5: handOver(to: life)
    case 6, 7: read(life)
    case 8, 9: answer(ref, by: life)
    case 10: keepTime(life)
    default: if Bool.random(using: &random) { end(life) } else { keepTime(life) }
    }
  }

  /// Ends all lives, and looks whether everyone was told.
  mutating func end() {
    for life in pipes.keys.sorted() { end(life) }
    tell(requests.takeWaiting(), .down)
    for ref in 1..<nextRef {
      let words = books.told.withLock { $0[ref] ?? [] }
      if words.count != 1 { faults.append("\(ref) was told \(words)") }
      let isRead = readers[ref] != nil
      for word in words where (word == .unknown && !isRead) || ((word == .refused || word == .down) && isRead) {
        faults.append("\(ref) was told \(word), and \(isRead ? "read" : "not read")")
      }
    }
    for (ref, lives) in readers where lives.count > 1 { faults.append("\(ref) was read by \(lives)") }
  }

  private mutating func tell(_ callers: [OpenRequests.Completion], _ word: Word) {
    books.word.withLock { $0 = word }
    for caller in callers { caller(.failure(CancellationError())) }
  }

  private mutating func begin() {
    pipes[nextLife] = Pipe()
    nextLife += 1
  }

  private mutating func submit() {
    let ref = nextRef
    nextRef += 1
    let line = [UInt8](repeating: 0x61, count: Int.random(in: 1...9, using: &random))
    let request = OpenRequests.Request(
      line: line,
      segments: 1,
      submitted: now,
      mayBegin: { [books] in !books.forbidden.withLock { $0.contains(ref) } },
      completion: { [books] _ in
        let word = books.word.withLock { $0 }
        books.told.withLock { $0[ref, default: []].append(word) }
      }
    )
    sizes[ref] = line.count
    requests.submit(ref, request)
  }

  private var sizes: [UInt64: Int] = [:]
  /// The refs that the requests must hand over next are not known here: they are told by their sizes alone, so the order is
  /// kept as well.
  private var waiting: [UInt64] { (1..<nextRef).filter { isWaiting($0) } }

  private func isWaiting(_ ref: UInt64) -> Bool {
    books.told.withLock { $0[ref] == nil } && readers[ref] == nil
      && !pipes.values.contains { $0.lines.contains { $0.ref == ref } }
  }

  /// Only to a life that serves, and when its pipe is empty.
  private mutating func handOver(to life: Int) {
    guard var pipe = pipes[life], !pipe.isRetiring, pipe.consumed == pipe.given else { return }
    let limit = (lines: Int.random(in: 1...4, using: &random), bytes: 20)
    let expected = waiting
    let result = requests.handOver(to: life, at: pipe.given, limit: limit, now: now)
    tell(result.refused, .refused)
    var count = result.bytes.count
    for ref in expected where count > 0 {
      if books.forbidden.withLock({ $0.contains(ref) }) { continue }
      let size = sizes[ref] ?? 0
      pipe.lines.append((ref, pipe.given, pipe.given + size))
      pipe.given += size
      count -= size
    }
    if count != 0 { faults.append("life \(life) was given other lines than the oldest") }
    pipes[life] = pipe
  }

  /// The program reads some bytes; the requests hears of it, or not yet.
  private mutating func read(_ life: Int) {
    guard var pipe = pipes[life] else { return }
    pipe.consumed = Int.random(in: pipe.consumed...pipe.given, using: &random)
    for line in pipe.lines where line.start < pipe.consumed { readers[line.ref, default: []].insert(life) }
    pipe.lines.removeAll { $0.end <= pipe.consumed }
    pipes[life] = pipe
    if Bool.random(using: &random) { requests.read(by: life, upTo: pipe.consumed, now: now) }
  }

  /// A program answers what it has read, or makes something up.
  private mutating func answer(_ ref: UInt64, by life: Int) {
    guard readers[ref]?.contains(life) == true || readers[ref] == nil && !isInPipe(ref, of: life) else { return }
    let before = books.told.withLock { $0[ref] }
    switch requests.answered(ref, by: life) {
    case .open(let request):
      if readers[ref] == nil { faults.append("\(ref) was answered by \(life), which was not given it") }
      tell([request.completion].compactMap { $0 }, .answered)
    case .late:
      if before != [.unknown] && before != [.cancelled] { faults.append("\(ref) is late and was told \(before ?? [])") }
    case .none: break
    }
  }

  private func isInPipe(_ ref: UInt64, of life: Int) -> Bool { pipes[life]?.lines.contains { $0.ref == ref } ?? false }

  private mutating func keepTime(_ life: Int) {
    guard let pipe = pipes[life] else { return }
    requests.read(by: life, upTo: pipe.consumed, now: now)
    if requests.mustTakeBack(from: life) { takeBack(life) }
    let late = requests.takeLate(from: life, now: now, timeout: timeout)
    tell(late.callers, .unknown)
    if late.count > 0 || requests.isStuck(life, now: now, timeout: timeout) {
      takeBack(life)
      pipes[life]?.isRetiring = true
      if pipes.count < 2 { begin() }
    }
    let overdue = requests.takeOverdue(now: now, timeout: timeout)
    tell(overdue.waiting, .down)
    tell(overdue.refused, .refused)
  }

  private mutating func takeBack(_ life: Int) {
    guard var pipe = pipes[life] else { return }
    requests.read(by: life, upTo: pipe.consumed, now: now)
    let end = requests.takeBack(from: life)
    pipe.lines.removeAll { $0.start >= pipe.consumed }
    let expected = pipe.lines.last?.end ?? pipe.consumed
    if let end, end != expected { faults.append("life \(life): lines end at \(end), not \(expected)") }
    pipe.given = expected
    pipes[life] = pipe
  }

  private mutating func end(_ life: Int) {
    guard let pipe = pipes.removeValue(forKey: life) else { return }
    tell(requests.ended(life, consumed: pipe.consumed, now: now), .unknown)
  }
}
