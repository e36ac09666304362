import ArgumentParser
import Logging

struct LogOptions: ParsableArguments {
  @Option(help: "How a log line is written.")
  var logFormat = EventLog.Format.text

  @Option(help: "The least important lines to write; warning leaves out a line for each message sent.")
  var logLevel = Logger.Level.info

  @Flag(help: "Write telephone numbers in full. Texts are written only of dead letters that are dropped.")
  var showNumbers = false
}

extension EventLog.Format: ExpressibleByArgument {}

extension Logger.Level: @retroactive ExpressibleByArgument {}
