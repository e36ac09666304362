// swift-tools-version: 6.2
import PackageDescription

// CI builds with warnings as errors; a user's newer compiler, with newer warnings, must still build.
let strict = Context.environment["SMSQ_WARNINGS_AS_ERRORS"] == "1"
let swiftSettings: [SwiftSetting] = strict ? [.treatAllWarnings(as: .error)] : []
// A message's way is short, and each change of thread on it costs more than all the rest: what is called stays on the
// thread of its caller, and does not move to Swift's pool because it is `async`.
let callersThread = swiftSettings + [.enableUpcomingFeature("NonisolatedNonsendingByDefault")]

let package = Package(
  name: "smsq",
  products: [
    .executable(name: "smsq", targets: ["smsq"])
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.0"),
  ],
  targets: [
    // Dependencies run one way (.ci/layers): smsq -> Worker -> MessageQueue -> RedisClient -> CHiredis, smsq -> Gateways ->
    // SMS -> Wire, Gateways -> CHTTP, smsq -> Reports -> MessageQueue and SMS, smsq -> Web -> CHTTP, smsq -> ProcessTable. Worker and SMS
    // meet in smsq alone.
    .target(name: "CLinux"),
    .target(
      name: "Wire",
      dependencies: ["CLinux"],
      swiftSettings: swiftSettings
    ),
    .target(
      name: "CHiredis",
      dependencies: ["CLinux"],
      linkerSettings: [.linkedLibrary("hiredis")]
    ),
    // Links nothing: what it needs is loaded at the first use.
    .target(name: "CHTTP", dependencies: ["CLinux"]),
    .target(
      name: "RedisClient",
      dependencies: ["CHiredis", "CLinux"],
      swiftSettings: swiftSettings
    ),
    .target(
      name: "MessageQueue",
      dependencies: ["RedisClient"],
      // In the binary, so that the one file is all there is to install.
      resources: [
        .embedInCode("Scripts/arrive.lua"),
        .embedInCode("Scripts/audit.lua"),
        .embedInCode("Scripts/claim.lua"),
        .embedInCode("Scripts/depart.lua"),
        .embedInCode("Scripts/drop.lua"),
        .embedInCode("Scripts/enqueue.lua"),
        .embedInCode("Scripts/fence.lua"),
        .embedInCode("Scripts/find.lua"),
        .embedInCode("Scripts/inspect.lua"),
        .embedInCode("Scripts/join.lua"),
        .embedInCode("Scripts/leave.lua"),
        .embedInCode("Scripts/letters.lua"),
        .embedInCode("Scripts/limit.lua"),
        .embedInCode("Scripts/peek.lua"),
        .embedInCode("Scripts/reconcile.lua"),
        .embedInCode("Scripts/remove.lua"),
        .embedInCode("Scripts/renew.lua"),
        .embedInCode("Scripts/reshard.lua"),
        .embedInCode("Scripts/revive.lua"),
        .embedInCode("Scripts/settle.lua"),
        .embedInCode("Scripts/spread.lua"),
        .embedInCode("Scripts/take.lua"),
      ],
      swiftSettings: callersThread
    ),
    .target(
      name: "Worker",
      dependencies: ["MessageQueue", "RedisClient", .product(name: "Logging", package: "swift-log")],
      swiftSettings: callersThread
    ),
    .target(
      name: "SMS",
      dependencies: ["Wire"],
      swiftSettings: swiftSettings
    ),
    .target(
      name: "Gateways",
      dependencies: ["SMS", "Wire", "CHTTP", "CLinux", .product(name: "Logging", package: "swift-log")],
      swiftSettings: callersThread
    ),
    .target(
      name: "Web",
      dependencies: ["CHTTP"],
      swiftSettings: swiftSettings
    ),
    .target(
      name: "Reports",
      dependencies: ["MessageQueue", "RedisClient", "SMS", "Wire"],
      swiftSettings: swiftSettings
    ),
    .target(
      name: "ProcessTable",
      dependencies: [
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "Subprocess", package: "swift-subprocess"),
      ],
      swiftSettings: swiftSettings
    ),
    .executableTarget(
      name: "smsq",
      dependencies: [
        "Reports", "Web", "Gateways", "SMS", "Wire", "Worker", "MessageQueue", "RedisClient", "ProcessTable", "CLinux",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: swiftSettings
    ),
    // Measured by `make bench`: the Swift API that `smsq push` calls. No product, and nothing depends on it.
    .executableTarget(
      name: "PushAPI",
      dependencies: ["SMS", "MessageQueue", "RedisClient"],
      path: "Tests/Bench/PushAPI",
      swiftSettings: swiftSettings
    ),

    // One test target per environment: none.
    .testTarget(
      name: "WireTests",
      dependencies: ["Wire", "TestSupport"],
      swiftSettings: swiftSettings
    ),
    .testTarget(
      name: "SMSTests",
      dependencies: ["SMS", "Wire", "TestSupport"],
      exclude: ["Data"],
      swiftSettings: swiftSettings
    ),
    .testTarget(
      name: "GatewaysTests",
      dependencies: ["Gateways", "SMS", "Wire", "TestSupport", .product(name: "Logging", package: "swift-log")],
      swiftSettings: swiftSettings
    ),
    .testTarget(
      name: "WebTests",
      dependencies: ["Web", "TestSupport"],
      swiftSettings: swiftSettings
    ),
    .testTarget(
      name: "smsqTests",
      dependencies: ["smsq", "Reports", "Gateways", "SMS", "Wire", "Worker", "MessageQueue", "RedisClient"],
      swiftSettings: swiftSettings
    ),
    .testTarget(
      name: "ReportsTests",
      dependencies: ["Reports", "MessageQueue", "RedisClient"],
      swiftSettings: swiftSettings
    ),
    // The real binary on real SQLite files, and a real redis-server for the rows that go to a queue.
    .testTarget(
      name: "ProcessTableTests",
      dependencies: [
        "ProcessTable", "MessageQueue", "RedisClient", "TestSupport", "smsq",
        .product(name: "GRDB", package: "GRDB.swift"),
      ],
      swiftSettings: swiftSettings
    ),
    // A real redis-server, which each test starts for itself or shares.
    .target(
      name: "TestSupport",
      dependencies: ["MessageQueue", "RedisClient", "SMS"],
      path: "Tests/TestSupport",
      swiftSettings: swiftSettings
    ),
    .testTarget(
      name: "RedisClientTests",
      dependencies: ["RedisClient", "TestSupport"],
      swiftSettings: swiftSettings
    ),
    .testTarget(
      name: "MessageQueueTests",
      dependencies: ["MessageQueue", "RedisClient", "TestSupport"],
      swiftSettings: swiftSettings
    ),
    // Worlds in virtual time: a worker's decisions against a model of the scripts, without a server.
    .target(
      name: "Simulation",
      dependencies: ["Worker", "MessageQueue", "RedisClient", "TestSupport"],
      path: "Tests/Simulation",
      swiftSettings: swiftSettings
    ),
    // `make simulate`. No product, and nothing depends on it.
    .executableTarget(
      name: "simulate",
      dependencies: ["Simulation", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      path: "Tests/Simulate",
      swiftSettings: swiftSettings
    ),
    // The model beside the scripts in a real redis-server.
    .testTarget(
      name: "SimulationTests",
      dependencies: ["Simulation", "Worker", "MessageQueue", "RedisClient", "TestSupport"],
      swiftSettings: swiftSettings
    ),
    .testTarget(
      name: "WorkerTests",
      dependencies: [
        "Worker", "MessageQueue", "RedisClient", "TestSupport", .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: swiftSettings
    ),
    // The real smsq, too: depending on it has it built beside the tests, where TestSupport finds it.
    .testTarget(
      name: "CommandTests",
      dependencies: ["smsq", "MessageQueue", "RedisClient", "TestSupport", "Wire"],
      swiftSettings: swiftSettings
    ),
    // The real smsq, and faults of every kind.
    .testTarget(
      name: "FaultTests",
      dependencies: [
        "smsq", "Worker", "MessageQueue", "RedisClient", "TestSupport", .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: swiftSettings
    ),
    // The real smsq, real sentinels and a real cluster.
    .testTarget(
      name: "TopologyTests",
      dependencies: ["smsq", "MessageQueue", "RedisClient", "TestSupport"],
      swiftSettings: swiftSettings
    ),
    // And a real supervisord.
    .testTarget(
      name: "SupervisorTests",
      dependencies: ["smsq", "MessageQueue", "RedisClient", "TestSupport"],
      swiftSettings: swiftSettings
    ),
  ],
  swiftLanguageModes: [.v6]
)
