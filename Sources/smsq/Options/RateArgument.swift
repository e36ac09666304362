import ArgumentParser
import MessageQueue
import Reports

extension Rate: ExplainedArgument {
  /// - Throws: `ValidationError` for what is not in the notation of rates, such as 100/s or 5/10m.
  init(explaining argument: String) throws {
    do throws(RateError) {
      try self.init(notation: argument)
    } catch {
      throw ValidationError(error.description)
    }
  }

  var argument: String { notation }
}
