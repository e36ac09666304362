import Glibc
import TestSupport
import Testing

@Suite("smsq doctor")
struct DoctorTests {
  @Test("A sound queue on a Redis that keeps what it is told passes with 0, a line for each check")
  func sound() async throws {
    let bench = try await Bench(on: RedisServer(appendOnly: true))
    try await bench.push(3)
    let worker = try bench.worker()
    try await bench.eventually(sent: 3)
    let result = try await bench.smsq("doctor")
    #expect(result.code == 0, "\(result)")
    #expect(!result.stdout.contains("problem"))
    let probe = try await bench.smsq("doctor", "--worker", bench.workerName)
    #expect(probe.code == 0 && probe.output.split(separator: "\n").count == 1)
    worker.send(SIGTERM)
    _ = try await worker.end()
    #expect(try await bench.smsq("doctor", "--worker", bench.workerName).code == 69)
  }

  @Test("Claims that belong to nobody are a problem, and 78")
  func orphan() async throws {
    let bench = try await Bench()
    try await bench.queue.run("HSET {sms}:claimed:gone@00000000000000aa 00000000000000aa-0000000000 x")
    let result = try await bench.smsq("doctor")
    #expect(result.code == 78)
    #expect(result.stdout.contains("gone@00000000000000aa"))
  }

  @Test("Without a Redis the doctor says so with 69")
  func noRedis() async throws {
    let result = try await Smsq.run(["doctor", "--redis", "redis://127.0.0.1:1/0"])
    #expect(result.code == 69)
    #expect(result.stdout.contains("127.0.0.1:1") || result.stderr.contains("127.0.0.1:1"))
  }
}
