import Glibc
import Synchronization

/// Random UUIDs as text (RFC 9562, version 4): 122 bits from the kernel, so that two are never the same.
///
/// Foundation's `UUID()` opens /dev/urandom for each and closes it again (Swift 6.3), which took six of the ten microseconds
/// of a pushed line. Here the kernel is asked once for sixteen of them.
package enum RandomUUID {
  /// A new one in lower case, such as `0c5ab53c-92f1-4a6c-8f4e-6d1a2b3c4d5e`.
  package static func text() -> String {
    text(of: kernelBytes.withLock { $0.next() })
  }

  /// - Parameter random: 16 bytes, of which six bits give way to the version and the variant.
  static func text(of random: InlineArray<16, UInt8>) -> String {
    var bytes = random
    bytes[6] = bytes[6] & 0x0F | 0x40
    bytes[8] = bytes[8] & 0x3F | 0x80
    return String(unsafeUninitializedCapacity: 36) { text in
      var end = 0
      for index in 0..<16 {
        if index == 4 || index == 6 || index == 8 || index == 10 {
          text[end] = UInt8(ascii: "-")
          end += 1
        }
        text[end] = hexDigit(bytes[index] >> 4)
        text[end + 1] = hexDigit(bytes[index] & 15)
        end += 2
      }
      return end
    }
  }

  private static func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }

  private static let kernelBytes = Mutex(KernelBytes())
}

/// The kernel's randomness, fetched ahead: a system call for each id would cost more than the rest of it.
private struct KernelBytes {
  /// The most that getentropy(3) gives at once.
  private var bytes = InlineArray<256, UInt8>(repeating: 0)
  /// Empty is 0, and all else 0 as well: Swift 6.3 with optimization lays out a global of this kind as zeros, whatever its
  /// other fields are to begin with, and the first ids of each process were zeros, too.
  private var unused = 0

  mutating func next() -> InlineArray<16, UInt8> {
    if unused == 0 {
      let failed = withUnsafeMutableBytes(of: &bytes) { getentropy($0.baseAddress!, $0.count) }
      // It waits until the kernel has enough, is not cut short by signals, and every Linux since 3.17 has it.
      precondition(failed == 0, "no random bytes: getentropy: \(errno)")
      unused = bytes.count
    }
    unused -= 16
    return InlineArray { bytes[unused + $0] }
  }
}
