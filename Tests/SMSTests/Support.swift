import SMS

/// The code of the error that `body` throws, nil when it throws none.
func code<Value>(of body: () throws(MessageError) -> Value) -> String? {
  do {
    _ = try body()
    return nil
  } catch {
    return error.code.rawValue
  }
}
