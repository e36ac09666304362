import ArgumentParser
import Glibc
import Reports

@main
struct Smsq: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "smsq",
    abstract: "A queue worker for text messages, on Redis.",
    discussion: """
      smsq push puts messages into a Redis list; smsq worker takes them out and hands them to an SMS gateway. A message \
      that was accepted is never lost, whatever is killed in between.

        smsq push --to +8613800138000 --text "Your code is 123456"
        smsq worker --gateway simulator

      Without a daemon: smsq table add puts rows into a SQLite table, and smsq cron, called by crontab, works them off.

      Each option can also be given by a variable: SMSQ_REDIS=redis://host:6379/0 stands for --redis.

      Exit codes: 0 done, 64 wrong usage, 65 bad input, 69 Redis or the database is not there, 70 a bug, 74 the result could \
      not be written, 75 try again later, 77 permission denied, 78 wrong configuration.
      """,
    version: Version.current,
    subcommands: [
      PushCommand.self, WorkerCommand.self, SendCommand.self, CountCommand.self, StatsCommand.self, PeekCommand.self,
      StatusCommand.self, CancelCommand.self, PurgeCommand.self, MoveCommand.self, DeadCommand.self, PauseCommand.self,
      ResumeCommand.self, LimitCommand.self, ShardsCommand.self, DoctorCommand.self,
      CronCommand.self, TableCommand.self, OutboxCommand.self,
    ]
  )

  /// On the main thread, so that no other is started before /proc is known to be there.
  @MainActor
  static func main() async {
    // Where whoever starts us ignores it, no exit code of a program could be had, and process 1 would wait for ever.
    signal(SIGCHLD, SIG_DFL)
    ContainerInit.takeOver()
    // A closed pipe, or a file at its limit (ulimit -f), is an error of write(2), not a reason to die: hiredis and the log's
    // writer both rely on it.
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    StandardStreams.occupyClosed()
    if let absence = StartText.absence { Glibc.exit(end(with: absence).rawValue) }
    await runAndExit()
  }

  /// Not on the main thread, because to come back to it takes another.
  private static func runAndExit() async -> Never {
    var code = await run()
    do throws(Failure) {
      try Terminal.finish()
    } catch {
      code = end(with: error)
    }
    // Not exit(3): that destroys what other threads, which still run, may be using. All output is written by now.
    _exit(code.rawValue)
  }

  private static func run() async -> ExitCode {
    var environment: EnvironmentArguments?
    do {
      let variables = StartText.environment(prefix: OptionVariable.prefix)
      let arguments = try EnvironmentArguments(
        argv: try StartText.arguments(),
        environment: variables.texts,
        notUTF8: variables.notUTF8,
        tree: .smsq,
        reserved: ["SMSQ_WARNINGS_AS_ERRORS"]
      )
      environment = arguments
      for warning in arguments.warnings { Terminal.note(warning) }
      var command: any ParsableCommand =
        try PushCommand(plain: arguments.arguments) ?? parseAsRoot(arguments.arguments)
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
      return .success
    } catch let failure as Failure {
      return end(with: failure)
    } catch {
      let message = fullMessage(for: error)
      let code = ExitCode(endingWith: error)
      if code == .success {
        do throws(Failure) {
          try Terminal.print(message)
        } catch {
          return end(with: error)
        }
      } else if !message.isEmpty {
        Terminal.printError(message)
        if let note = environment?.note(forMessage: self.message(for: error)) { Terminal.printError(note) }
      }
      return code
    }
  }

  private static func end(with failure: Failure) -> ExitCode {
    if !failure.description.isEmpty { Terminal.note(failure.description) }
    return failure.code
  }
}

/// The version of this build.
enum Version {
  static let current = "0.1.0"
}
