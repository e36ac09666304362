import Glibc

/// A file that holds `bytes`, unlinked already and open at its start. The test closes it.
func temporaryDescriptor(_ bytes: [UInt8]) -> Int32 {
  var template = Array("/tmp/smsq-tests-XXXXXX".utf8CString)
  let descriptor = mkstemp(&template)
  precondition(descriptor >= 0, "mkstemp failed")
  unlink(template)
  var written = 0
  while written < bytes.count {
    let count = bytes[written...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    precondition(count > 0, "write failed")
    written += count
  }
  lseek(descriptor, 0, SEEK_SET)
  return descriptor
}

func temporaryDescriptor(_ text: String) -> Int32 { temporaryDescriptor(Array(text.utf8)) }
