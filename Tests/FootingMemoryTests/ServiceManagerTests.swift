import FootingHost
import FootingSystem
import Glibc
import Testing

@testable import FootingMemory

/// `$MEMORY_PRESSURE_WATCH`, on the live machine with files of the test's own.
@Suite("The service manager")
struct ServiceManagerTests {
    private func monitor(_ manager: ServiceManagerPressure) throws -> PressureMonitor {
        try PressureMonitor(
            root: try HostRoot(),
            groups: .absent("not of interest here"),
            serviceManager: manager
        )
    }

    private func source(_ monitor: PressureMonitor) -> PressureSource? {
        monitor.sources.first { $0.name == "$MEMORY_PRESSURE_WATCH" }
    }

    /// Readings until one tells of the manager, at most for a second.
    private func hears(_ monitor: PressureMonitor) -> Bool {
        let deadline = SystemClock().nanoseconds + 1_000_000_000
        while SystemClock().nanoseconds < deadline {
            if monitor.next()?.events.contains(.serviceManager) == true { return true }
        }
        return false
    }

    @Test("a FIFO: what is in it is read and thrown away")
    func fifo() throws {
        let machine = try FakeMachine()
        let path = "\(machine.path)/fifo"
        #expect(unsafe mkfifo(path, 0o600) == 0)
        let monitor = try monitor(ServiceManagerPressure(watch: path))
        #expect(source(monitor)?.state == .waited)
        #expect(!hears(monitor))
        for _ in 0..<3 {
            let writer = try FileDescriptor.open(path, [.writeOnly, .nonBlocking])
            try writer.write("now")
            #expect(hears(monitor))
        }
        #expect(!hears(monitor))
        #expect(source(monitor)?.eventCount == 3)
    }

    @Test("a flood does not keep it awake")
    func flood() throws {
        let machine = try FakeMachine()
        let path = "\(machine.path)/fifo"
        #expect(unsafe mkfifo(path, 0o600) == 0)
        let monitor = try monitor(ServiceManagerPressure(watch: path))
        let writer = try FileDescriptor.open(path, [.readWrite, .nonBlocking])
        let text = String(repeating: "x", count: 4096)
        let start = SystemClock().nanoseconds
        var count = 0
        while SystemClock().nanoseconds < start + 1_000_000_000 {
            for _ in 0..<4 { try? writer.write(text) }
            #expect(monitor.next() != nil)
            count += 1
        }
        #expect(count <= 45)
    }

    @Test("a socket: it gets what is to be written; its end is named")
    func socket() throws {
        let machine = try FakeMachine()
        let path = "\(machine.path)/socket"
        let listener = try Socket.listen(unixPath: path, backlog: 1)
        let monitor = try monitor(ServiceManagerPressure(watch: path, write: "Zm9v"))
        #expect(source(monitor)?.state == .waited)
        let peer = try Socket.accept(listener)
        var received = [UInt8](repeating: 0, count: 16)
        let count = unsafe try received.withUnsafeMutableBytes { try unsafe peer.read(into: $0) }
        #expect(Array(received.prefix(count)) == Array("foo".utf8))
        try peer.write("now")
        #expect(hears(monitor))
        Socket.shutDown(peer, .both)
        #expect(!hears(monitor))
        #expect(source(monitor)?.state == .absent)
    }

    @Test("what it cannot be is named, and nothing is written there")
    func refused() throws {
        let machine = try FakeMachine(["file": "precious"])
        let paths = ["\(machine.path)/file", machine.path, "\(machine.path)/missing", "relative"]
        for path in paths + ["/dev/zero", "/" + String(repeating: "x", count: 5000)] {
            let monitor = try monitor(ServiceManagerPressure(watch: path, write: "Zm9v"))
            #expect(source(monitor)?.state == .absent)
            #expect(source(monitor)?.note.isEmpty == false)
        }
        #expect(try machine.root().text("file") == "precious")
        let bad = try monitor(ServiceManagerPressure(watch: paths[0], write: "!"))
        #expect(source(bad)?.note.contains("base 64") == true)
    }

    @Test("/dev/null turns the watching of stalls off, not that of memory")
    func off() throws {
        let monitor = try monitor(ServiceManagerPressure(watch: "/dev/null"))
        let stalls = monitor.sources.first { $0.name == "proc/pressure/memory" }
        #expect(stalls?.state == .absent)
        #expect(stalls?.note.contains("service manager") == true)
        #expect(monitor.next()?.machine != nil)
    }

    @Test("a PSI file of the kernel gets the trigger that the manager gives")
    func pressureFile() throws {
        guard (try? HostRoot().bytes("proc/pressure/memory")) != nil else {
            print("skipped: this kernel has no PSI")
            return
        }
        // "some 200000 2000000\0"
        let write = "c29tZSAyMDAwMDAgMjAwMDAwMAA="
        let path = "/proc/pressure/memory"
        let good = try monitor(ServiceManagerPressure(watch: path, write: write))
        #expect(source(good)?.state == .waited)
        let bad = try monitor(ServiceManagerPressure(watch: path, write: "Zm9v"))
        #expect(source(bad)?.state == .absent)
    }
}
