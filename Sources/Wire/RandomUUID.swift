import CLinux
import Glibc
import Synchronization

/// A random UUID (RFC 9562, version 4): 122 bits from the kernel, so that two are never the same.
///
/// Foundation's `UUID()` opens /dev/urandom for each and closes it again (Swift 6.3), which took six of the ten microseconds
/// of a pushed line. Here the kernel is asked once for 256 of them.
package struct RandomUUID: Sendable {
  private static let textLength = 36

  /// Its first eight bytes, the first of them at the top.
  private let high: UInt64
  private let low: UInt64

  /// A new one.
  package init() {
    self = Self.kernelRandom.withLock { $0.next() }
  }

  /// Of 128 random bits, six of which give way to the version and the variant.
  init(high: UInt64, low: UInt64) {
    self.high = high & ~0xF000 | 0x4000
    self.low = low & ~(0b11 << 62) | 0b10 << 62
  }

  /// In lower case, such as `0c5ab53c-92f1-4a6c-8f4e-6d1a2b3c4d5e`.
  package var text: String {
    String(unsafeUninitializedCapacity: Self.textLength) { text in
      write(to: UnsafeMutableRawPointer(text.baseAddress!))
      return Self.textLength
    }
  }

  /// Appends ``text``, with no string in between.
  package func append(to bytes: inout [UInt8]) {
    withUnsafeTemporaryAllocation(byteCount: Self.textLength, alignment: 8) { text in
      write(to: text.baseAddress!)
      bytes.append(contentsOf: text)
    }
  }

  /// - Parameter text: room for 36 bytes.
  private func write(to text: UnsafeMutableRawPointer) {
    func put<Bytes: FixedWidthInteger>(_ bytes: Bytes, at offset: Int) {
      text.storeBytes(of: bytes.littleEndian, toByteOffset: offset, as: Bytes.self)
    }
    let second = Self.hexDigits(high)
    let third = Self.hexDigits(low >> 32)
    put(Self.hexDigits(high >> 32), at: 0)
    put(UInt32(truncatingIfNeeded: second), at: 9)
    put(UInt32(truncatingIfNeeded: second >> 32), at: 14)
    put(UInt32(truncatingIfNeeded: third), at: 19)
    put(UInt32(truncatingIfNeeded: third >> 32), at: 24)
    put(Self.hexDigits(low), at: 28)
    for offset in stride(from: 8, through: 23, by: 5) { put(UInt8(ascii: "-"), at: offset) }
  }

  /// The eight digits of a number's lower half, in ASCII, the first one in the lowest byte.
  private static func hexDigits(_ number: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    // Its four bytes, in the order in which they are written, each to the lower half of 16 bits; and then each one's upper
    // digit to the byte in front of its lower one's.
    var digits = UInt64(UInt32(truncatingIfNeeded: number).byteSwapped)
    digits = (digits | digits << 16) & 0x0000_FFFF_0000_FFFF
    digits = (digits | digits << 8) & 0x00FF_00FF_00FF_00FF
    digits = (digits >> 4 | digits << 8) & (ones &* 0x0F)
    // 6 more is 16 and more for the digits from a on, which come 39 later in ASCII than they would behind 9.
    let letters = (digits &+ ones &* 6) >> 4 & ones
    return digits &+ ones &* UInt64(UInt8(ascii: "0")) &+ letters &* 39
  }

  private static let kernelRandom = Mutex(KernelRandom())
}

/// The kernel's randomness, fetched ahead: a system call for each UUID would cost more than the rest of it.
private struct KernelRandom {
  /// 4 KiB. In pieces of 256 bytes, the most that getentropy(3) gives, they take twice as long.
  private var words = InlineArray<512, UInt64>(repeating: 0)
  /// Empty is 0, and all else 0 as well: Swift 6.3 with optimization lays out a global of this kind as zeros, whatever its
  /// other fields are to begin with, and the first ids of each process were zeros, too.
  private var unused = 0

  mutating func next() -> RandomUUID {
    while unused == 0 {
      // It waits until the kernel has enough, and every Linux since 3.17 has it. A signal may cut it short.
      let count = withUnsafeMutableBytes(of: &words) { clinux_getrandom($0.baseAddress, $0.count) }
      precondition(count > 0 || errno == EINTR, "no random bytes: getrandom: \(errno)")
      unused = max(0, count) / MemoryLayout<RandomUUID>.size * 2
    }
    unused -= 2
    return RandomUUID(high: words[unused], low: words[unused + 1])
  }
}
