import ArgumentParser
import MessageQueue

extension PushCommand {
  private static let plainOptions = [
    "--redis", "--redis-ca", "--redis-cert", "--redis-key", "--redis-server-name", "--sentinel-user",
    "--sentinel-password", "--queue", "--to", "--text", "--from", "--id",
    "--default-country-code",
  ]

  /// One message as scripts push it, read without ArgumentParser: what that looks up of each option while the program runs
  /// takes as long as all the rest of such a call (docs/decisions/0031).
  ///
  /// - Parameter arguments: without the program's name.
  /// - Returns: nil for all that is not plain, be it wrong or only rare. That is for ArgumentParser, which explains it.
  init?(plain arguments: [String]) {
    guard arguments.first == "push", let values = Self.plainValues(arguments.dropFirst()),
      let to = values["--to"], let text = values["--text"],
      let queue = values["--queue"].map({ QueueName($0) }) ?? .sms
    else { return nil }
    var redis = RedisOptions()
    redis.url = values["--redis"] ?? RedisOptions.standardURL
    var tls = TLSOptions()
    tls.ca = values["--redis-ca"]
    tls.certificate = values["--redis-cert"]
    tls.key = values["--redis-key"]
    tls.serverName = values["--redis-server-name"]
    tls.isInsecure = false
    redis.tls = tls
    redis.sentinelUser = values["--sentinel-user"]
    redis.sentinelPassword = values["--sentinel-password"]
    var queueOption = QueueOption()
    queueOption.queue = queue
    var template = TemplateOptions()
    template.template = nil
    template.templateParameters = []
    template.sign = nil
    var sender = SenderOption()
    sender.from = values["--from"]
    var country = CountryCodeOption()
    country.defaultCountryCode = values["--default-country-code"]
    var segments = MaxSegmentsOption()
    segments.maxSegments = MaxSegmentsOption.standard
    // Every property: one that was neither parsed nor set must not be read.
    self.init()
    self.redis = redis
    self.queueOption = queueOption
    self.to = to
    self.text = text
    self.template = template
    self.sender = sender
    id = values["--id"]
    delay = nil
    at = nil
    expiresIn = nil
    file = nil
    format = .auto
    strict = false
    maxQueue = nil
    maxPayload = .standard
    idLifetime = Self.standardIDLifetime
    self.country = country
    self.segments = segments
    json = values["--json"] != nil
    do {
      let groups: [any ParsableArguments] = [tls, redis, queueOption, sender, country, segments]
      for var group in groups { try group.validate() }
      try validate()
    } catch {
      return nil
    }
  }

  /// The values by their options, as in `--to`; nil if there is anything else, or an option twice.
  private static func plainValues(_ arguments: ArraySlice<String>) -> [String: String]? {
    var values: [String: String] = [:]
    var rest = arguments
    while let argument = rest.popFirst() {
      var (option, value) = (argument, "")
      if let equals = argument.firstIndex(of: "=") {
        (option, value) = (String(argument[..<equals]), String(argument[argument.index(after: equals)...]))
      } else if argument != "--json", let next = rest.popFirst(), next.utf8.first != UInt8(ascii: "-") {
        value = next
      }
      let isPlain = argument == "--json" || plainOptions.contains(option) && !value.isEmpty
      guard isPlain, values.updateValue(value, forKey: option) == nil else { return nil }
    }
    return values
  }
}
