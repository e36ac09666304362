import CHTTP
import Glibc

/// The certificates that a server's is checked against.
enum HTTPAuthorities {
  /// Reads the file once, so that what is wrong with it is said before anything is begun.
  ///
  /// - Parameter file: nil for the system's, which libcurl knows.
  static func check(_ file: String?) throws(HTTPSetupError) {
    guard let path = file ?? chttp_system_ca().map({ String(cString: $0) }) else { return }
    let advice = file == nil ? ": install ca-certificates, or name one by --gateway-ca" : ""
    guard let stream = fopen(path, "r") else {
      throw HTTPSetupError(
        description: "cannot read the CA file '\(path)': \(String(cString: strerror(errno)))\(advice)"
      )
    }
    defer { fclose(stream) }
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(line) }
    while getline(&line, &capacity, stream) > 0 {
      guard let line else { break }
      if strncmp(line, "-----BEGIN CERTIFICATE-----", 27) == 0 { return }
      if strncmp(line, "-----BEGIN TRUSTED CERTIFICATE-----", 35) == 0 { return }
    }
    throw HTTPSetupError(description: "the CA file '\(path)' holds no certificate in PEM\(advice)")
  }
}
