import CHTTP
import Glibc

/// What is asked for.
package struct PageRequest: Sendable, Equatable {
  /// As in `GET`.
  package let method: String
  /// Without what comes behind a `?`.
  package let path: String
}

/// What is answered.
package struct Page: Sendable, Equatable {
  package var status: Int
  /// Its Content-Type.
  package var type: String
  package var body: String

  package init(_ status: Int, _ body: String, type: String = "text/plain; charset=utf-8") {
    self.status = status
    self.type = type
    self.body = body
  }
}

/// Serves pages over HTTP/1.1, by libmicrohttpd on a thread of its own. Nothing is loaded before there is one.
///
/// Connections, heads and the time that a request takes are bounded, so that whoever holds connections open, or drips, costs
/// little and stops nobody.
package final class HTTPServer: Sendable {
  /// With the port that the system chose where none was given (0).
  package let address: ListenAddress
  private let server: Handle

  private struct Handle: @unchecked Sendable {
    // The thread's own; the only call from elsewhere may come from any thread.
    let pointer: OpaquePointer
  }

  private final class Pages: Sendable {
    let answer: @Sendable (PageRequest) -> Page

    init(_ answer: @escaping @Sendable (PageRequest) -> Page) { self.answer = answer }
  }

  private let pages: Pages

  /// Begins to serve.
  ///
  /// - Parameters:
  ///   - thread: its name, 15 bytes at most.
  ///   - answer: called on the server's thread, which all wait for: it must not block. GET and HEAD alone get here.
  package init(
    on address: ListenAddress,
    thread: String,
    answer: @escaping @Sendable (PageRequest) -> Page
  ) throws(ListenError) {
    if let absence = chttp_serve_load() {
      let hint = "install it (Debian and Ubuntu: libmicrohttpd12)"
      throw ListenError(description: "libmicrohttpd cannot be loaded (\(String(cString: absence))): \(hint)")
    }
    let listening = try ListeningSocket(on: address)
    pages = Pages(answer)
    let context = Unmanaged.passUnretained(pages).toOpaque()
    guard let pointer = chttp_server_start(listening.descriptor, thread, Self.respond, context) else {
      close(listening.descriptor)
      throw ListenError(description: "\(address): libmicrohttpd cannot serve: memory, threads or descriptors are out")
    }
    server = Handle(pointer: pointer)
    self.address = listening.address
  }

  deinit {
    chttp_server_stop(server.pointer)
    if case .unix(let path) = address { unlink(path) }
  }

  private static let respond: chttp_answer = { context, exchange, method, path in
    guard let context, let exchange, let method, let path else { return }
    let pages = Unmanaged<Pages>.fromOpaque(context).takeUnretainedValue()
    let request = PageRequest(method: String(cString: method), path: String(cString: path))
    let page =
      ["GET", "HEAD"].contains(request.method) ? pages.answer(request) : Page(405, "only GET is answered here\n")
    page.body.utf8.withContiguousStorageIfAvailable { body in
      chttp_respond(exchange, Int32(page.status), page.type, body.baseAddress, body.count)
    }
      ?? Array(page.body.utf8).withUnsafeBufferPointer { body in
        chttp_respond(exchange, Int32(page.status), page.type, body.baseAddress, body.count)
      }
  }
}
