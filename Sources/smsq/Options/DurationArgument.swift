import ArgumentParser
import Wire

extension Duration: ExplainedArgument {
  /// - Throws: `ValidationError` for what is not in the notation of durations, such as 10s or 1h30m.
  init(explaining argument: String) throws {
    do throws(DurationError) {
      try self.init(notation: argument)
    } catch {
      throw ValidationError(error.description)
    }
  }

  var argument: String { notation }
}

/// One duration, or anything between two: `50ms` or `50ms..200ms`.
struct DurationRange: ExplainedArgument, Hashable {
  var bounds: ClosedRange<Duration>

  init(_ bounds: ClosedRange<Duration>) {
    self.bounds = bounds
  }

  /// - Throws: `ValidationError` if a bound is no duration, or the second is shorter than the first.
  init(explaining argument: String) throws {
    // By hand, because String.split(separator: String) is not there on every platform's standard library.
    guard let dots = argument.indices.first(where: { argument[$0...].hasPrefix("..") }) else {
      let duration = try Duration(explaining: argument)
      self.init(duration...duration)
      return
    }
    let lower = try Duration(explaining: String(argument[..<dots]))
    let upper = try Duration(explaining: String(argument[dots...].dropFirst(2)))
    guard lower <= upper else {
      throw ValidationError("'\(argument)' ends before it begins; write the shorter duration first, as in 50ms..200ms")
    }
    self.init(lower...upper)
  }

  var argument: String {
    bounds.lowerBound == bounds.upperBound
      ? bounds.lowerBound.argument : "\(bounds.lowerBound.argument)..\(bounds.upperBound.argument)"
  }
}
