import FootingNBD
import FootingSystem
import Glibc

// nbd-bench-server SOCKET memory:BYTES | nbd-bench-server SOCKET file:PATH

let arguments = CommandLine.arguments
guard arguments.count == 3, let colon = arguments[2].firstIndex(of: ":") else {
    print("USAGE: nbd-bench-server SOCKET memory:BYTES|file:PATH")
    exit(64)
}
let value = String(arguments[2][arguments[2].index(after: colon)...])
let export: any Export =
    arguments[2].hasPrefix("file:")
    ? try FileExport(path: value) : MemoryExport(sizeBytes: UInt64(value) ?? 0)
var configuration = Configuration()
configuration.log = { print($0) }
let server = try Server(export: export, configuration: configuration)
try server.listen(unixPath: arguments[1])
// Blocked before any thread starts, so that none of them dies of it.
var signals = sigset_t()
unsafe sigemptyset(&signals)
unsafe sigaddset(&signals, SIGTERM)
unsafe sigaddset(&signals, SIGINT)
unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
try server.start()
var signal: Int32 = 0
unsafe sigwait(&signals, &signal)
try server.stop(within: .seconds(10))
