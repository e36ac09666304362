import MessageQueue

extension Duration {
  /// As in `12.345s`.
  var inSeconds: String {
    let milliseconds = self.milliseconds
    let fraction = String(milliseconds % 1000 + 1000).dropFirst()
    return "\(milliseconds / 1000).\(fraction)s"
  }
}
