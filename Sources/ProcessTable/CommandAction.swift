import Foundation
import Subprocess
import Synchronization

/// Runs the external program that a `command` row names: without a shell, its arguments as they stand in the row, in a
/// process group of its own so that all of it can be ended.
///
/// The program says how it went by its exit code, as sysexits.h has it: 0 done, 75 (EX_TEMPFAIL) try again, anything else
/// never. A program that was ended by a signal is tried again: what ends programs so is the kernel short of memory, a
/// reboot, or our own time limit, and none of these says that it would fail the next time.
///
/// SIGPIPE must be ignored in this process, as main() does: a program may close its input before it has read it.
package struct CommandAction: Sendable {
  /// How long the program may take.
  package var timeout: Duration
  /// How long it has after SIGTERM, before SIGKILL.
  package var grace = Duration.seconds(5)

  package init(timeout: Duration) { self.timeout = timeout }

  package func run(_ row: ClaimedRow) async -> RowOutcome {
    guard let parameters = String(validating: row.parameters, as: UTF8.self) else {
      return RowOutcome(.dead(reason: "the parameters are not valid UTF-8: write them in UTF-8"))
    }
    let command: CommandParameters
    do {
      command = try CommandParameters(parameters)
    } catch {
      return RowOutcome(.dead(reason: error.description))
    }
    let program = RunningProgram()
    let end = await withTaskGroup(of: End.self) { tasks in
      tasks.addTask { await execute(command, row, program) }
      tasks.addTask { (try? await Task.sleep(for: timeout)) == nil ? .timerCancelled : .timedOut }
      var ends: [End] = []
      for await end in tasks {
        ends.append(end)
        // Cancelling the program's task sends SIGTERM, and SIGKILL after the grace.
        tasks.cancelAll()
      }
      return ends.first { $0 != .timerCancelled } ?? .failed(.spawn(errno: 0, "it was not started"))
    }
    // Ended before its time: what the program started in its group and that did not heed SIGTERM ends with it.
    if end == .timedOut || end == .cancelled, let pid = program.pid { kill(-pid, SIGKILL) }
    return outcome(end, command, output: program.tail.text)
  }

  private enum End: Sendable, Equatable {
    case exited(Int32)
    case signaled(Int32)
    case failed(CommandFailure)
    case timedOut
    case cancelled
    case timerCancelled
  }

  private func execute(
    _ command: CommandParameters,
    _ row: ClaimedRow,
    _ running: RunningProgram
  ) async -> End {
    var options = PlatformOptions()
    options.processGroupID = 0
    options.teardownSequence = [.gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: grace)]
    let program = command.argv[0]
    do {
      let result = try await Subprocess.run(
        program.contains("/") ? .path(.init(program)) : .name(program),
        arguments: Arguments(Array(command.argv.dropFirst())),
        environment: .inherit.updating(["PROCESS_ID": "\(row.id)", "PROCESS_ATTEMPT": "\(row.attempt)"]),
        platformOptions: options,
        input: .inputWriter,
        output: .sequence,
        error: .combinedWithOutput
      ) { execution in
        running.pid = execution.processIdentifier.value
        // A program need not read its input, nor keep it open: that it does not is no failure.
        async let written: Void = {
          _ = try? await execution.standardInputWriter.write(command.input)
          try? await execution.standardInputWriter.finish()
        }()
        for try await chunk in execution.standardOutput { chunk.withUnsafeBytes(running.tail.append) }
        await written
      }
      switch result.terminationStatus {
      case .exited(let code): return Task.isCancelled ? .cancelled : .exited(code)
      case .signaled(let signal): return Task.isCancelled ? .cancelled : .signaled(signal)
      }
    } catch {
      return Task.isCancelled ? .cancelled : .failed(CommandFailure(error))
    }
  }

  private func outcome(_ end: End, _ command: CommandParameters, output: String) -> RowOutcome {
    let name = command.shownName
    switch end {
    case .exited(0):
      return RowOutcome(.done, exitCode: 0, output: output)
    case .exited(75):
      return RowOutcome(.retry(reason: "\(name) exited with 75: try again", after: nil), exitCode: 75, output: output)
    case .exited(let code):
      return RowOutcome(.dead(reason: "\(name) exited with \(code)"), exitCode: Int(code), output: output)
    case .signaled(let signal):
      let reason = "\(name) was ended by signal \(signal) (\(String(cString: strsignal(signal))))"
      return RowOutcome(.retry(reason: reason, after: nil), exitCode: 128 + Int(signal), output: output)
    case .timedOut:
      return RowOutcome(.retry(reason: "\(name) took longer than \(timeout) and was ended", after: nil), output: output)
    case .cancelled, .timerCancelled:
      return RowOutcome(.interrupted, output: output)
    case .failed(let failure):
      let reason = "\(name) could not be run: \(failure.reason)"
      return RowOutcome(failure.isTemporary ? .retry(reason: reason, after: nil) : .dead(reason: reason))
    }
  }
}

/// What is known of a program while it runs, also to those who have to end it.
private final class RunningProgram: Sendable {
  let tail = OutputTail()
  private let state = Mutex<pid_t?>(nil)

  /// Also the number of its process group; nil before it has started.
  var pid: pid_t? {
    get { state.withLock { $0 } }
    set { state.withLock { $0 = newValue } }
  }
}
