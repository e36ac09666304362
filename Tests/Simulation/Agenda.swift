/// What is to happen, by time, and in the order in which it was put in where times are equal: a binary heap.
struct Agenda<Happening> {
  private var heap: [(at: Int64, number: Int, happening: Happening)] = []
  private var count = 0

  mutating func add(_ at: Int64, _ happening: Happening) {
    count += 1
    heap.append((at, count, happening))
    var child = heap.count - 1
    while child > 0, isBefore(child, (child - 1) / 2) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  /// When the next of it is.
  var first: Int64? { heap.first?.at }

  mutating func next() -> Happening? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      var parent = 0
      while true {
        var least = parent
        for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && isBefore(child, least) {
          least = child
        }
        if least == parent { break }
        heap.swapAt(parent, least)
        parent = least
      }
    }
    return first.happening
  }

  private func isBefore(_ one: Int, _ other: Int) -> Bool {
    (heap[one].at, heap[one].number) < (heap[other].at, heap[other].number)
  }
}
