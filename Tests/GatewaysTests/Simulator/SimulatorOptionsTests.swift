import Testing

@testable import Gateways

@Suite struct SimulatorOptionsTests {
  @Test("The defaults have no problem, nor have ratios that add up to one")
  func fine() {
    var options = SimulatorOptions()
    #expect(options.problem == nil)
    options.failureRatio = 0.7
    options.throttleRatio = 0.1
    options.permanentRatio = 0.1
    options.dropRatio = 0.1
    options.maxPerSecond = 1
    #expect(options.problem == nil)
  }

  @Test("An option out of range is named")
  func problems() {
    func problem(_ change: (inout SimulatorOptions) -> Void) -> String {
      var options = SimulatorOptions()
      change(&options)
      return options.problem ?? "none"
    }
    #expect(problem { $0.failureRatio = 1.1 }.contains("failure"))
    #expect(problem { $0.throttleRatio = -0.1 }.contains("throttle"))
    #expect(problem { $0.permanentRatio = .nan }.contains("permanent"))
    #expect(problem { $0.dropRatio = .infinity }.contains("drop"))
    #expect(problem { ($0.failureRatio, $0.dropRatio) = (0.6, 0.6) }.contains("add up"))
    #expect(problem { $0.latency = .milliseconds(-1) ... .zero }.contains("latency"))
    #expect(problem { $0.maxPerSecond = 0 }.contains("cap"))
  }
}
