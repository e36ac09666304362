import Glibc

/// What process 1 of a container has to do besides its own work: collect orphans, and see to signals.
///
/// A process whose parent has ended becomes a child of process 1, and stays a zombie when it ends until that waits for it:
/// what a gateway's program leaves behind would fill the container's table of processes. And a signal that process 1 has no
/// handler for does nothing to it, so that it could not be stopped while it starts, nor any command with Ctrl-C.
///
/// So smsq as process 1 starts itself again as process 2, which works as anywhere else, hands signals on, waits for whatever
/// ends, and ends as that one does. In one process, its waiting would take away the exit codes that others wait for.
enum ContainerInit {
  /// Where this is process 1, does not return.
  static func takeOver() {
    guard getpid() == 1, CommandLine.argc > 0 else { return }
    var signals = sigset_t()
    sigfillset(&signals)
    for fault in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS] { sigdelset(&signals, fault) }
    var inherited = sigset_t()
    // Blocked before the child is started, so that none comes unnoticed.
    pthread_sigmask(SIG_BLOCK, &signals, &inherited)
    guard let child = start(signalMask: &inherited) else {
      pthread_sigmask(SIG_SETMASK, &inherited, nil)
      return
    }
    while true {
      var info = siginfo_t()
      let number = sigwaitinfo(&signals, &info)
      if number == SIGCHLD {
        if let code = collect(child) { exit(code) }
      } else if number > 0 && (info.si_code <= 0 || number == SIGHUP) {
        // Sent by a process. What a terminal sends, the child has as well, but for the HUP of its end.
        kill(child, number)
      }
    }
  }

  private static func start(signalMask: inout sigset_t) -> pid_t? {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setsigmask(&attributes, &signalMask)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var pid: pid_t = 0
    return posix_spawn(&pid, "/proc/self/exe", nil, &attributes, CommandLine.unsafeArgv, environ) == 0 ? pid : nil
  }

  /// Waits for all that have ended. One signal may stand for several.
  ///
  /// - Returns: the exit code of the child, as shells say it, if it is among them.
  private static func collect(_ child: pid_t) -> Int32? {
    var code: Int32?
    var status: Int32 = 0
    while case let ended = waitpid(-1, &status, WNOHANG), ended > 0 {
      let signal = status & 0x7F
      if ended == child { code = signal == 0 ? status >> 8 & 0xFF : 128 + signal }
    }
    return code
  }
}
