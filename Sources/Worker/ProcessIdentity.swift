import Glibc

/// Which process a life belongs to, written so that a later process on the same host can tell whether it is still there.
///
/// `<host>.<pid>.<start>`: the kernel's boot and the pid namespace, in 8 hex digits; the pid in that namespace; when the process
/// started, in clock ticks since the boot. A pid alone would not do: containers share them, and they are used again.
package enum ProcessIdentity {
  /// This process; nil where /proc does not tell.
  package static let own: String? = {
    guard let host, let start = startTime(of: getpid()) else { return nil }
    return "\(host).\(getpid()).\(start)"
  }()

  /// Whether a process was on this host, in this pid namespace, and is not there any more. False where that is not known.
  package static func isGone(_ identity: String) -> Bool {
    let parts = identity.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, let host, parts[0] == host, let pid = pid_t(parts[1]), pid > 0 else { return false }
    // Only a signal's error says that nobody has the pid: /proc may hide other users' processes.
    if kill(pid, 0) != 0 { return errno == ESRCH }
    guard let start = startTime(of: pid) else { return false }
    return start != parts[2]
  }

  private static let host: String? = {
    // A /proc of another pid namespace, as one that is mounted from outside, tells of other processes under these numbers.
    guard target(of: "/proc/self") == "\(getpid())", let boot = contents(of: "/proc/sys/kernel/random/boot_id"),
      let space = target(of: "/proc/self/ns/pid")
    else { return nil }
    // FNV-1a: two hosts whose workers have one name must not look like one.
    let hash = (boot + space).utf8.reduce(0x811C_9DC5 as UInt32) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
    return String(String(UInt64(hash) + 0x1_0000_0000, radix: 16).dropFirst())
  }()

  /// When a process started, in clock ticks since the boot, as /proc writes it; "ended" for one that has ended and whose
  /// parent has not asked for it; nil where that is not known.
  private static func startTime(of pid: pid_t) -> Substring? {
    // proc(5): the program's name, in parentheses, may hold anything. State is the first field behind it, the start the 20th.
    guard let line = contents(of: "/proc/\(pid)/stat"), let name = line.lastIndex(of: ")") else { return nil }
    let fields = line[line.index(after: name)...].split(separator: " ")
    guard fields.count >= 20 else { return nil }
    return fields[0] == "Z" || fields[0] == "X" ? "ended" : fields[19]
  }

  private static func contents(of path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    let bytes = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
      count = max(0, read(file, buffer.baseAddress, buffer.count))
    }
    return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
  }

  private static func target(of link: String) -> String? {
    let bytes = [UInt8](unsafeUninitializedCapacity: 256) { buffer, count in
      count = max(0, buffer.withMemoryRebound(to: CChar.self) { readlink(link, $0.baseAddress!, $0.count) })
    }
    return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
  }
}
