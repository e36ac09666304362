import Foundation
import TestSupport

/// Lies to a program about the time of day, as a host whose clock is set does, and leaves the monotonic clocks alone,
/// as such a host does, too.
///
/// A few lines of C, preloaded. Setting the machine's own clock takes root and would hit whatever else runs there; a
/// time namespace shifts the monotonic clocks and not the time of day.
final class JumpingClock {
  private let directory: String

  private static let source = """
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <sys/time.h>
    #include <time.h>

    static long offset(void) {
      long seconds = 0;
      FILE *file = fopen(getenv("JUMPING_CLOCK"), "r");
      if (file) { if (fscanf(file, "%ld", &seconds) != 1) seconds = 0; fclose(file); }
      return seconds;
    }

    int clock_gettime(clockid_t clock, struct timespec *time) {
      static int (*real)(clockid_t, struct timespec *);
      if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
      int code = real(clock, time);
      if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) time->tv_sec += offset();
      return code;
    }

    int gettimeofday(struct timeval *restrict time, void *restrict zone) {
      struct timespec now;
      clock_gettime(CLOCK_REALTIME, &now);
      time->tv_sec = now.tv_sec;
      time->tv_usec = now.tv_nsec / 1000;
      return 0;
    }

    time_t time(time_t *result) {
      struct timespec now;
      clock_gettime(CLOCK_REALTIME, &now);
      if (result) *result = now.tv_sec;
      return now.tv_sec;
    }
    """

  /// Compiles it, with the clang that comes with Swift.
  init() throws {
    directory = NSTemporaryDirectory() + "/smsq-clock-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    try Self.source.write(toFile: "\(directory)/clock.c", atomically: false, encoding: .utf8)
    let compiler = Process()
    compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    compiler.arguments = ["clang", "-shared", "-fPIC", "-o", "\(directory)/clock.so", "\(directory)/clock.c", "-ldl"]
    try startLock.withLock { try compiler.run() }
    compiler.waitUntilExit()
    guard compiler.terminationStatus == 0 else { throw NeverHappened(description: "clang cannot compile the clock") }
    try jump(to: 0)
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  /// What makes a program believe it.
  var environment: [String: String] {
    ["LD_PRELOAD": "\(directory)/clock.so", "JUMPING_CLOCK": "\(directory)/offset"]
  }

  /// Sets the program's clock so many seconds off the true time.
  func jump(to offset: Int) throws {
    try "\(offset)\n".write(toFile: "\(directory)/offset", atomically: true, encoding: .utf8)
  }
}
