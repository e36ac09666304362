import Foundation
import SMS
import TestSupport
import Testing

@testable import Gateways

/// Runs docs/examples/aliyun.py and tencent.py, against a server that checks each signature as its provider would.
@Suite(.timeLimit(.minutes(5))) struct ChineseProviderTests {
  private static let examples = URL(fileURLWithPath: #filePath)
    .appendingPathComponent("../../../../docs/examples").standardizedFileURL.path

  /// What a program's module says to an expression.
  private func evaluate(_ module: String, _ expression: String) async throws -> String {
    let script = "import sys; sys.dont_write_bytecode = True; import \(module); print(\(expression))"
    let python = try ChildProcess("python3", ["-c", script], environment: ["PYTHONPATH": Self.examples])
    let result = try await python.end()
    #expect(result.code == 0, "\(result)")
    return result.output
  }

  /// help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature, the example with fixed values.
  @Test("A request to Aliyun is signed as in the example that Aliyun publishes")
  func aliyunSignature() async throws {
    let header = try await evaluate(
      "aliyun",
      #"""
      aliyun.signed("ecs.cn-shanghai.aliyuncs.com", "RunInstances", "2014-05-26",
      {"RegionId": "cn-shanghai", "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"},
      "YourAccessKeyId", "YourAccessKeySecret", "2023-10-26T10:22:32Z", "3156853299f313e23d1673dc12e1703d")[1]["Authorization"]
      """#
    )
    #expect(
      header
        == "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;"
        + "x-acs-signature-nonce;x-acs-version,Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )
  }

  /// The example of "Signature v3" in Tencent Cloud's API documents, as the pages have it whose key ends in EXAMPLE.
  @Test("A request to Tencent is signed as in the example that Tencent publishes")
  func tencentSignature() async throws {
    let header = try await evaluate(
      "tencent",
      #"""
      tencent.authorization("cvm", "cvm.tencentcloudapi.com",
      rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}', 1551113065,
      "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE")
      """#
    )
    #expect(
      header
        == "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, "
        + "SignedHeaders=content-type;host, Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
    )
  }

  /// Both providers at once. The template's name says what the answer is: a code, and behind a space the words; or a status.
  private static let provider = #"""
    import hashlib, hmac, http.server, json, socket, time, urllib.parse
    sha = lambda data: hashlib.sha256(data).hexdigest()
    mac = lambda key, text: hmac.new(key, text.encode(), "sha256").digest()

    class Provider(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def log_message(self, *_): pass
        def canonical(self, path, query, names, body):
            lines = [f"{name}:{self.headers[name].strip()}" for name in names.split(";")]
            return sha("\n".join([self.command, path, query, *lines, "", names, sha(body)]).encode())
        def aliyun(self, url, body):
            method, rest = self.headers["Authorization"].split(" ", 1)
            parts = dict(part.split("=", 1) for part in rest.split(","))
            names = parts["SignedHeaders"]
            assert {"host", "x-acs-action", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"} <= set(names.split(";"))
            text = method + "\n" + self.canonical(url.path, url.query, names, body)
            good = hmac.new(b"secret", text.encode(), "sha256").hexdigest() == parts["Signature"] and parts["Credential"] == "id"
            said = dict(urllib.parse.parse_qsl(url.query), action=self.headers["x-acs-action"], version=self.headers["x-acs-version"])
            return good, said, said["TemplateCode"]
        def tencent(self, url, body):
            method, rest = self.headers["Authorization"].split(" ", 1)
            parts = dict(part.split("=", 1) for part in rest.split(", "))
            id, scope = parts["Credential"].split("/", 1)
            stamp = self.headers["X-TC-Timestamp"]
            text = "\n".join([method, stamp, scope, self.canonical(url.path, url.query, parts["SignedHeaders"], body)])
            key = b"TC3secret"
            for part in (time.strftime("%Y-%m-%d", time.gmtime(int(stamp))), "sms", "tc3_request"): key = mac(key, part)
            good = mac(key, text).hex() == parts["Signature"] and id == "id"
            said = dict(json.loads(body), action=self.headers["X-TC-Action"], version=self.headers["X-TC-Version"])
            return good, said, said["TemplateId"]
        def do_POST(self):
            url = urllib.parse.urlsplit(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            isAliyun = "x-acs-action" in self.headers
            good, said, what = (self.aliyun if isAliyun else self.tencent)(url, body)
            code, _, words = what.partition(" ")
            if not good: code, words = "SignatureDoesNotMatch" if isAliyun else "AuthFailure.SignatureFailure", "wrong"
            if code == "hang": time.sleep(1000)
            if code == "close":
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            status = 200
            if code.isdigit() and code != "1110": status, reply = int(code), "<html>"
            elif code == "show": reply = {"Code": "isv.SHOW", "Message": json.dumps(said, sort_keys=True, ensure_ascii=False)}
            elif isAliyun:
                status = 200 if code == "OK" or code[:2] == "is" else int(words[:3]) if words[:3].isdigit() else 400
                reply = {"Code": code, "Message": words or "OK", "BizId": "900619746936498440^0"}
            elif code in ("1110", "Ok"): reply = {"SendStatusSet": [{"SerialNo": "2019:538884", "Fee": 3, "Code": "Ok", "Message": "send success"}]}
            elif words == "each": reply = {"SendStatusSet": [{"SerialNo": "", "Fee": 0, "Code": code, "Message": words}]}
            else: reply = {"Error": {"Code": code, "Message": words}}
            if code == "show" and not isAliyun: reply = {"Error": reply}
            if not isAliyun and reply != "<html>": reply = {"Response": dict(reply, RequestId="r")}
            data = (reply if reply == "<html>" else json.dumps(reply)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()
    """#

  private enum Kind: String {
    case aliyun, tencent

    func command(_ port: Int, secret: String = "secret") -> [String] {
      let url = "http://127.0.0.1:\(port)"
      let variables =
        switch self {
        case .aliyun:
          ["ALIBABA_CLOUD_ACCESS_KEY_ID=id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET=\(secret)", "ALIYUN_SMS_ENDPOINT=\(url)"]
        case .tencent:
          [
            "TENCENTCLOUD_SECRET_ID=id", "TENCENTCLOUD_SECRET_KEY=\(secret)", "TENCENT_SMS_APP_ID=1400006666",
            "TENCENT_SMS_ENDPOINT=\(url)", "TENCENT_SMS_SIGN=腾讯云",
          ]
        }
      let program = "\(ChineseProviderTests.examples)/\(rawValue).py"
      return ["/usr/bin/env", "GATEWAY_CALL_TIMEOUT=3"] + variables + [program]
    }
  }

  private func withProvider(_ body: (Int) async throws -> Void) async throws {
    let provider = try ChildProcess("python3", ["-c", Self.provider])
    try await eventually("the provider is up") { provider.stdout.hasSuffix("\n") }
    try await body(try #require(Int(provider.stdout.trimmingCharacters(in: .whitespacesAndNewlines))))
    // It lives as long as its variable.
    #expect(provider.isRunning, "\(provider.stderr)")
  }

  private func sample(
    _ template: String,
    _ parameters: String = "null",
    to: String = "+8613800138000",
    sign: String? = "阿里云"
  )
    throws -> TextMessage
  {
    try .templateSample(sign.map { #","sign":"\#($0)""# } ?? "", to: to, template: template, parameters: parameters)
  }

  private func kind(_ answer: GatewayAnswer) -> String {
    switch answer {
    case .accepted: "accepted"
    case .throttled: "throttled"
    case .temporaryFailure(_, _, let after): "retry" + (after.map { " \(Int($0.components.seconds))" } ?? "")
    case .permanentFailure: "failed"
    case .unknown: "unknown"
    }
  }

  @Test("Aliyun gets what it documents, and its codes mean what they say")
  func aliyun() async throws {
    try await withProvider { port in
      try await withGateway(Kind.aliyun.command(port)) { gateway, notes in
        #expect(
          try await gateway.send(sample("OK"), attempt: 1)
            == .accepted(providerID: "900619746936498440^0", segments: nil)
        )
        let shown = try await gateway.send(sample("show", #"{"code":"1","n":2.5,"名":"a b&c=d"}"#), attempt: 1)
        // Numbers are masked in what is logged.
        #expect(
          shown
            == .permanentFailure(
              code: "isv.SHOW",
              reason: #"{"OutId": "m-1", "PhoneNumbers": "****", "SignName": "阿里云", "TemplateCode": "show", "#
                + #""TemplateParam": "{\"code\": \"1\", \"n\": \"2.5\", \"名\": \"a b&c=d\"}", "#
                + #""action": "SendSms", "version": "2017-05-25"}"#
            )
        )
        let expected = [
          ("isv.BUSINESS_LIMIT_CONTROL 触发分钟级流控Permits:1", "retry 60"),
          ("isv.BUSINESS_LIMIT_CONTROL 触发小时级流控Permits:5", "retry 3600"),
          ("isv.BUSINESS_LIMIT_CONTROL 触发天级流控Permits:10", "failed"),
          ("isv.MOBILE_NUMBER_ILLEGAL", "failed"), ("isv.SMS_TEMPLATE_ILLEGAL", "failed"),
          ("isv.AMOUNT_NOT_ENOUGH", "retry"), ("isv.OUT_OF_SERVICE", "retry"), ("isp.SYSTEM_ERROR", "retry"),
          ("isp.RAM_PERMISSION_DENY", "retry"), ("InvalidAccessKeyId.NotFound 404", "retry"),
          ("Throttling.User 400", "throttled"), ("ServiceUnavailable 503", "retry"), ("InternalError 500", "unknown"),
          ("429", "throttled"), ("502", "unknown"), ("404", "retry"), ("200", "unknown"), ("hang", "unknown"),
          ("close", "unknown"),
        ]
        for (template, outcome) in expected {
          #expect(try await kind(gateway.send(sample(template), attempt: 1)) == outcome, "\(template)")
        }
        for message in try [sample("OK", "[1]"), sample("OK", #"{"a":{}}"#), sample("OK", sign: nil), .sample()] {
          #expect(try await kind(gateway.send(message, attempt: 1)) == "failed")
        }
        let expired = try TextMessage.templateSample(#","expires_at":"2020-01-01T00:00:00Z""#)
        #expect(try await kind(gateway.send(expired, attempt: 1)) == "retry")
        #expect(notes.errors == [])
      }
      try await withGateway(Kind.aliyun.command(port, secret: "wrong")) { gateway, _ in
        let answer = try await gateway.send(sample("OK"), attempt: 1)
        #expect(self.kind(answer) == "retry")
      }
    }
  }

  @Test("Tencent gets what it documents, and its codes mean what they say")
  func tencent() async throws {
    try await withProvider { port in
      try await withGateway(Kind.tencent.command(port)) { gateway, notes in
        #expect(
          try await gateway.send(sample("1110", #"["123456",5]"#), attempt: 1)
            == .accepted(providerID: "2019:538884", segments: 3)
        )
        let shown = try await gateway.send(sample("show", #"["您",5]"#, to: "+4915123456789", sign: nil), attempt: 1)
        #expect(
          shown
            == .permanentFailure(
              code: "isv.SHOW",
              reason: #"{"PhoneNumberSet": ["+****"], "SessionContext": "m-1", "SignName": "腾讯云", "#
                + #""SmsSdkAppId": "****", "TemplateId": "show", "TemplateParamSet": ["您", "5"], "#
                + #""action": "SendSms", "version": "2021-01-11"}"#
            )
        )
        let expected = [
          ("LimitExceeded.PhoneNumberThirtySecondLimit each", "retry 30"),
          ("LimitExceeded.PhoneNumberOneHourLimit each", "retry 3600"),
          ("LimitExceeded.PhoneNumberDailyLimit each", "failed"),
          ("FailedOperation.PhoneNumberInBlacklist each", "failed"),
          ("FailedOperation.InsufficientBalanceInSmsPackage each", "retry"),
          ("FailedOperation.MarketingSendTimeConstraint each", "retry 3600"),
          ("InvalidParameterValue.IncorrectPhoneNumber each", "failed"),
          ("RequestLimitExceeded.UinLimitExceeded", "throttled"), ("AuthFailure.SecretIdNotFound", "retry"),
          ("UnauthorizedOperation.SmsSdkAppIdVerifyFail", "retry"), ("InternalError.Timeout each", "unknown"),
          ("InternalError", "unknown"), ("429", "throttled"), ("502", "unknown"), ("404", "retry"), ("200", "unknown"),
          ("hang", "unknown"), ("close", "unknown"),
        ]
        for (template, outcome) in expected {
          #expect(try await kind(gateway.send(sample(template), attempt: 1)) == outcome, "\(template)")
        }
        for message in try [sample("1110", #"{"code":"1"}"#), sample("1110", "[[]]"), .sample()] {
          #expect(try await kind(gateway.send(message, attempt: 1)) == "failed")
        }
        #expect(notes.errors == [])
      }
      try await withGateway(Kind.tencent.command(port, secret: "wrong")) { gateway, _ in
        let answer = try await gateway.send(sample("1110"), attempt: 1)
        #expect(self.kind(answer) == "retry")
      }
    }
  }

  @Test("Without a connection nothing was sent", arguments: ["aliyun", "tencent"])
  func unreachable(name: String) async throws {
    let kind = try #require(Kind(rawValue: name))
    // Port 1 is nobody's.
    try await withGateway(kind.command(1)) { gateway, _ in
      let answer = try await gateway.send(sample("1110"), attempt: 1)
      #expect(self.kind(answer) == "retry")
    }
  }

  @Test("Without keys a program ends, and says which", arguments: ["aliyun", "tencent"])
  func keys(name: String) async throws {
    let result = try await ChildProcess("env", ["-i", "/usr/bin/python3", "\(Self.examples)/\(name).py"]).end()
    #expect(result.code == 1)
    #expect(result.stderr.contains("have to be set"), "\(result)")
  }
}
