import Foundation

/// An HTTP/1.1 server of a test's own, in Python's standard library. What it does to a request, the request's path says:
///
/// | path | |
/// |---|---|
/// | `/429` | answers with this status; `?body=` is what it says, `?Retry-After=` and the like are headers, `?delay=` in ms |
/// | `/silence` | reads the request and never answers |
/// | `/close`, `/reset` | reads it and hangs up, with a FIN or a RST |
/// | `/half` | answers 200 with half of a body, and hangs up |
/// | `/trickle` | answers a byte at a time, and never comes to an end |
/// | `/large` | answers 200 with 10 MB |
/// | `/garbage` | answers what is no HTTP |
/// | `/second` | answers the first request of a connection, and hangs up behind the second |
/// | `/refused` | hangs up without reading |
/// | `/continue` | says "100 Continue" before it answers 200 |
///
/// It is a proxy as well.
package final class HTTPTestServer: Sendable {
  package struct Request: Decodable, Sendable {
    package let connection: Int
    package let method: String
    package let path: String
    /// By their names in lower case.
    package let headers: [String: String]
    package let body: String
  }

  private let process: ChildProcess
  package let port: Int
  private let scheme: String

  /// - Parameters:
  ///   - identity: for TLS.
  ///   - isQuiet: keeps no requests: for many of them.
  package init(_ identity: TestAuthority.Identity? = nil, isQuiet: Bool = false) async throws {
    let tls = identity.map { [$0.certificateFile, $0.keyFile] } ?? []
    process = try ChildProcess("python3", ["-c", Self.script, isQuiet ? "quiet" : "loud"] + tls)
    scheme = identity == nil ? "http" : "https"
    try await eventually("the server listens") { [process] in
      if !process.isRunning { throw NeverHappened(description: "the server ended: \(process.stderr)") }
      return !process.lines.isEmpty
    }
    port = Int(process.lines[0]) ?? 0
  }

  package func url(_ path: String, host: String = "127.0.0.1") -> String { "\(scheme)://\(host):\(port)\(path)" }

  /// What came so far.
  package var requests: [Request] {
    process.lines.dropFirst().compactMap { try? JSONDecoder().decode(Request.self, from: Data($0.utf8)) }
  }

  /// What came, once it is so many. It is written down before it is answered, and read a little later.
  package func requests(_ count: Int) async throws -> [Request] {
    try await eventually("\(count) requests") { requests.count >= count }
    return requests
  }

  /// How many connections came so far, those that ended before their TLS handshake left out.
  package var connections: Int { process.lines.count { $0 == "connected" } }

  private static let script = #"""
    import asyncio, json, socket, ssl, struct, sys, urllib.parse
    quiet, tls = sys.argv[1] == "quiet", sys.argv[2:]
    connections = 0

    async def head_of(reader):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        return head[0].split(" "), {n.lower(): v.strip() for n, _, v in (l.partition(":") for l in head[1:] if l)}

    def reset(writer):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def pump(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def serve(reader, writer):
        global connections
        connections += 1
        number, served = connections, 0
        print("connected", flush=True)
        try:
            while True:
                (method, target, _), headers = await head_of(reader)
                if method == "CONNECT":
                    print(json.dumps(dict(connection=number, method=method, path=target, headers=headers, body="")), flush=True)
                    host, _, port = target.rpartition(":")
                    r, w = await asyncio.open_connection(host, int(port))
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    await asyncio.gather(pump(reader, w), pump(r, writer))
                    return
                url = urllib.parse.urlsplit(target)
                if url.path == "/refused":
                    return
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                if not quiet:
                    print(json.dumps(dict(connection=number, method=method, path=target, headers=headers,
                                          body=body.decode())), flush=True)
                served += 1
                query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
                what = url.path.rsplit("/", 1)[-1]
                if "delay" in query:
                    await asyncio.sleep(int(query.pop("delay")) / 1000)
                if what == "silence":
                    await reader.read()
                    return
                if what == "close" or what == "second" and served == 2:
                    return
                if what == "reset":
                    return reset(writer)
                if what == "half":
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"outcome\":")
                    return
                if what == "garbage":
                    writer.write(b"hello there\r\n")
                    return
                if what == "trickle":
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                    while not reader.at_eof():
                        writer.write(b" ")
                        await writer.drain()
                        await asyncio.sleep(0.02)
                    return
                if what == "continue":
                    writer.write(b"HTTP/1.1 100 Continue\r\nRetry-After: 9\r\n\r\n")
                    what = "200"
                text = b"x" * 10_000_000 if what == "large" else query.pop("body", "").encode()
                status = "200" if not what.isdigit() else what
                lines = "".join(f"{n}: {v}\r\n" for n, v in query.items())
                writer.write(f"HTTP/1.1 {status} Said\r\nContent-Length: {len(text)}\r\n{lines}\r\n".encode() + text)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def main():
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context, backlog=2000)
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(main())
    """#
}
