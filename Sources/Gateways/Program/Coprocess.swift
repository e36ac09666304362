import CLinux
import Glibc

/// Why a program could not be started.
package struct ProgramStartError: Error, CustomStringConvertible {
  package let program: String
  /// The C error number.
  package let code: Int32

  package var description: String {
    let hint =
      switch code {
      case ENOENT: ": is the path right, and the interpreter that its first line names?"
      case EACCES: ": is it executable (chmod +x), also for this user?"
      case ENOEXEC: ": a script needs a first line such as #!/bin/sh"
      default: ""
      }
    return "the gateway program '\(program)' cannot be started (\(String(cString: strerror(code))))\(hint)"
  }

  /// Whether the system was short of something, so that another try may succeed.
  package var isTemporary: Bool { [EAGAIN, ENOMEM, EMFILE, ENFILE].contains(code) }
}

/// A running program with pipes for its three streams, in a process group of its own.
struct Coprocess: Sendable {
  let pid: pid_t
  /// Our ends of the pipes: close-on-exec and non-blocking.
  let input: Int32
  let output: Int32
  let errors: Int32

  /// Bytes of its input's pipe: one page, so that poll(2) calls it writable when it is empty, and not before.
  static let inputSize = 4096

  /// - Parameter command: the program, by its path or found in PATH, and its arguments.
  static func start(_ command: [String]) throws(ProgramStartError) -> Coprocess {
    var pipes: [Int32] = []
    for _ in 0..<3 {
      var ends: [Int32] = [-1, -1]
      // Closed to children from its start: a program that holds the pipe of another would keep its end from being seen.
      guard clinux_pipe2(&ends, O_CLOEXEC) == 0 else {
        let code = errno
        for end in pipes { close(end) }
        throw ProgramStartError(program: command[0], code: code)
      }
      pipes += ends
    }
    let (theirs, ours) = ([pipes[0], pipes[3], pipes[5]], [pipes[1], pipes[2], pipes[4]])

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (stream, end) in theirs.enumerated() { posix_spawn_file_actions_adddup2(&actions, end, Int32(stream)) }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // The worker ignores SIGPIPE and takes SIGTERM by other means; what is ignored stays so through exec, and the program
    // could not be stopped with SIGTERM. Its own group: it is killed with its children, and Ctrl-C is for us alone.
    var signals = sigset_t()
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setpgroup(&attributes, 0)
    let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
    posix_spawnattr_setflags(&attributes, Int16(flags))

    var pid: pid_t = 0
    var words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    let code = posix_spawnp(&pid, command[0], &actions, &attributes, words, environ)
    for end in theirs { close(end) }
    guard code == 0 else {
      for end in ours { close(end) }
      throw ProgramStartError(program: command[0], code: code)
    }
    for end in ours { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
    _ = clinux_set_pipe_size(ours[0], Int32(inputSize))
    return Coprocess(pid: pid, input: ours[0], output: ours[1], errors: ours[2])
  }

  /// To the program and its children. Only before ``reap()``: until then nobody else can get the number.
  func signal(_ number: Int32) {
    kill(-pid, number)
    // It may have changed its group.
    kill(pid, number)
  }

  /// Whether the program itself is gone. Its children may still hold the pipes.
  var hasExited: Bool {
    var info = siginfo_t()
    // ECHILD: whoever started us ignores SIGCHLD, and the system has reaped it.
    return waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_signo != 0
  }

  /// Bytes of its input that the program has not read; none can be read any more once it is gone.
  var unreadInput: Int {
    var count: Int32 = 0
    return ioctl(input, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
  }

  /// Takes out of the pipe what the program has not read, so that it never will.
  ///
  /// - Returns: how many bytes that were. 0 also where the system lets nobody open the pipe again; then ``unreadInput`` stays.
  func takeBackInput() -> Int {
    // A second reader of the pipe, and for this moment only: with one of ours open, the system would not tell that the
    // program has closed its end.
    let reader = open("/proc/self/fd/\(input)", O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard reader >= 0 else { return 0 }
    defer { close(reader) }
    var buffer = [UInt8](repeating: 0, count: Self.inputSize)
    var total = 0
    while case .bytes(let count) = PipeRead(reader, into: &buffer) { total += count }
    return total
  }

  /// Takes the zombie away, after SIGKILL, and says how the program ended.
  func reap() -> String {
    var status: Int32 = 0
    // A process in an uninterruptible read does not die at once: it is left to init then, when we end.
    for _ in 0..<2_000 {
      let result = waitpid(pid, &status, WNOHANG)
      if result == pid {
        let signal = status & 0x7F
        return signal == 0 ? "exit code \(status >> 8 & 0xFF)" : "signal \(signal)"
      }
      if result < 0 && errno != EINTR { return "unknown" }
      // Polled, because waitpid(2) has no time limit, and SIGCHLD is the whole process's.
      usleep(1_000)
    }
    return "still dying"
  }
}

/// What a read from a non-blocking descriptor brought.
enum PipeRead {
  case bytes(Int)
  case nothingYet
  case end

  init(_ descriptor: Int32, into buffer: inout [UInt8]) {
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count > 0 {
        self = .bytes(count)
      } else if count < 0 && errno == EINTR {
        continue
      } else {
        self = count < 0 && errno == EAGAIN ? .nothingYet : .end
      }
      return
    }
  }
}
