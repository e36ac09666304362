/// The environment variable that stands for an option of smsq: `SMSQ_MAX_ATTEMPTS` for `--max-attempts`.
package enum OptionVariable {
  package static let prefix = "SMSQ_"

  /// - Parameter option: its long name, without dashes in front.
  package static func name(of option: String) -> String {
    prefix + option.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
  }
}
