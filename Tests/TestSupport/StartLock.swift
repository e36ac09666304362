import Foundation

/// Held while a program is started, with the pipes made for it.
///
/// Foundation's `Process` learns of a program's end by a socket that the program holds open, which is not close-on-exec: a
/// program that starts at the same moment may inherit it, or the end of a pipe, and then the first one has not ended, as far
/// as can be seen, until the other one has.
package let startLock = NSLock()
