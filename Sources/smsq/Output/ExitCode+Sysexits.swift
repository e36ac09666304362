import ArgumentParser

/// The exit codes of sysexits.h that smsq uses, so that a supervisor or a script can tell "try again" from "give up".
extension ExitCode {
  /// 64, EX_USAGE: the command line is wrong. ArgumentParser's own errors exit with it too.
  static let usage = ExitCode(64)
  /// 65, EX_DATAERR: what was read (a message, a CSV file) is wrong.
  static let dataError = ExitCode(65)
  /// 69, EX_UNAVAILABLE: Redis or the gateway is away.
  static let unavailable = ExitCode(69)
  /// 70, EX_SOFTWARE: a bug in smsq.
  static let software = ExitCode(70)
  /// 75, EX_TEMPFAIL: the same command may well succeed later.
  static let tempFail = ExitCode(75)
  /// 77, EX_NOPERM: a file or a Redis command is not allowed.
  static let noPermission = ExitCode(77)
  /// 78, EX_CONFIG: the configuration (a URL, a name) cannot work as it is.
  static let config = ExitCode(78)

  /// The code for an error that no command has made a ``Failure`` of: usage errors have one of their own, and what nobody
  /// foresaw is a bug.
  init(endingWith error: any Error) {
    let code = Smsq.exitCode(for: error)
    self = code == .failure ? .software : code
  }
}
