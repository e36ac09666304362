import MessageQueue
import Testing

@testable import smsq

@Suite("Worker names")
struct WorkerNameTests {
  @Test("A worker without a name has one that no other has, also where all are pid 1 of one host name")
  func own() {
    let names = Set((0..<1000).map { _ in WorkerName.own })
    #expect(names.count == 1000)
    #expect(names.allSatisfy { QueueName($0) != nil })
  }

  @Test(
    "It is a valid name, whatever the host is called",
    arguments: [
      ("web-1", "web-1-000000000005"), ("web.example.com", "web.example.com-000000000005"), ("", "host-000000000005"),
      ("my host", "my-host-000000000005"), ("bü@x{y}", "b--x-y--000000000005"),
      (String(repeating: "h", count: 255), String(repeating: "h", count: 51) + "-000000000005"),
    ]
  )
  func host(name: String, expected: String) {
    #expect(WorkerName.own(host: name, number: 5) == expected)
    #expect(QueueName(expected) != nil)
    #expect(QueueName(WorkerName.own(host: name, number: .max)) != nil)
  }
}
