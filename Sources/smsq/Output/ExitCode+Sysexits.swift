import ArgumentParser

/// The exit codes that smsq uses, of sysexits.h but for one, so that a supervisor or a script can tell "try again" from "give up".
extension ExitCode {
  /// 64, EX_USAGE: the command line is wrong. ArgumentParser's own errors exit with it too.
  static let usage = ExitCode(64)
  /// 65, EX_DATAERR: what was read (a message, a CSV file) is wrong.
  static let dataError = ExitCode(65)
  /// 69, EX_UNAVAILABLE: Redis or the gateway is away.
  static let unavailable = ExitCode(69)
  /// 70, EX_SOFTWARE: a bug in smsq.
  static let software = ExitCode(70)
  /// 71, EX_OSERR: the system does not give what it should, such as /proc.
  static let osError = ExitCode(71)
  /// 74, EX_IOERR: a result could not be written.
  static let ioError = ExitCode(74)
  /// 75, EX_TEMPFAIL: the same command may well succeed later.
  static let tempFail = ExitCode(75)
  /// 77, EX_NOPERM: a file or a Redis command is not allowed.
  static let noPermission = ExitCode(77)
  /// 78, EX_CONFIG: the configuration (a URL, a name) cannot work as it is.
  static let config = ExitCode(78)
  /// 128 + SIGPIPE, which a shell shows of any program whose reader left early: whoever reads results has gone.
  static let brokenPipe = ExitCode(141)

  /// The code for an error that no command has made a ``Failure`` of: usage errors have one of their own, and what nobody
  /// foresaw is a bug.
  init(endingWith error: any Error) {
    let code = Smsq.exitCode(for: error)
    self = code == .failure ? .software : code
  }
}
