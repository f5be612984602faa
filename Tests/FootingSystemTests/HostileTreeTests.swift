import FootingSystem
import FootingTestSupport
import Glibc
import Testing

/// A tree that somebody made to harm whoever looks at it.
@Suite struct HostileTreeTests {
    let tree: TemporaryDirectory
    let root: HostRoot

    init() throws {
        tree = try TemporaryDirectory()
        root = try HostRoot(path: tree.path)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a FIFO is neither waited for nor read`() throws {
        #expect(unsafe mkfifo(tree.path("fifo"), 0o600) == 0)
        #expect(throws: Errno.noDevice) { try root.attribute("fifo") }
        #expect(throws: Errno.noDevice) { try root.bytes("fifo") }
        #expect(throws: Errno.noDevice) { _ = try root.open("fifo") }
        #expect(root.exists("fifo"))
    }

    @Test(.enabled(if: geteuid() == 0, "making device nodes takes root"))
    func `a device of this machine is not asked through a node in the tree`() throws {
        // The major number of memory devices; 5 is /dev/zero, which never ends.
        let zero = unsafe mknod(tree.path("zero"), S_IFCHR | 0o600, dev_t(1 << 8 | 5))
        try #require(zero == 0)
        #expect(throws: Errno.noDevice) { try root.attribute("zero") }
        #expect(throws: Errno.noDevice) { try root.bytes("zero") }
        #expect(throws: Errno.noDevice) { try root.firstBytes("zero", count: 1) }
    }

    @Test func `a socket is no file`() throws {
        let socket = try Socket.listen(unixPath: tree.path("socket"), backlog: 1)
        #expect(socket.number >= 0)
        #expect(throws: Errno.noDevice) { try root.bytes("socket") }
    }

    @Test func `a file without an end is refused at the limit`() throws {
        let file = try FileDescriptor.open(tree.path("sparse"), [.writeOnly, .create])
        try file.resize(toBytes: 1 << 40)
        #expect(throws: Errno.tooLarge) { try root.bytes("sparse") }
        #expect(throws: Errno.tooLarge) { try root.attribute("sparse") }
        #expect(try root.firstBytes("sparse", count: 10) == [UInt8](repeating: 0, count: 10))
    }

    @Test func `links in a circle and long ways end`() throws {
        try tree.link("a", to: "b")
        try tree.link("b", to: "a")
        try tree.link("deep0", to: ".")
        for at in 1..<50 { try tree.link("deep\(at)", to: "deep\(at - 1)/deep\(at - 1)") }
        #expect(throws: Errno.tooManyLinks) { try root.bytes("a") }
        #expect(throws: Errno.tooManyLinks) { try root.names("deep49") }
        let long = String(repeating: "x/", count: 4000)
        #expect(throws: Errno.self) { try root.bytes(long) }
        #expect(throws: Errno.self) { try root.bytes(String(repeating: "x", count: 300)) }
    }

    @Test func `more names than any machine has are refused`() throws {
        let command = "cd '\(tree.path)' && mkdir many && cd many && seq 70000 | xargs touch"
        try #require(unsafe system(command) == 0)
        #expect(throws: Errno.tooLarge) { try root.names("many") }
    }

    @Test func `a file that changes while it is read gives one of its states`() throws {
        let path = tree.path("changing")
        try tree.file("changing", String(repeating: "a", count: 3000))
        let stop = Locked(false)
        let writer = try Thread(name: "writer") {
            var count = 0
            while !stop.withLock({ $0 }) {
                count += 1
                // Replaced, cut and removed, as attributes of devices are that come and go.
                _ = unsafe truncate(path, off_t(count % 5000))
                if count % 7 == 0 { FileDescriptor.remove(path) }
                if let file = try? FileDescriptor.open(path, [.writeOnly, .create]) {
                    try? file.write(String(repeating: "b", count: count % 4000))
                }
            }
        }
        for _ in 0..<2000 {
            let text = (try? root.attribute("changing")) ?? ""
            #expect(text.utf8.allSatisfy { $0 == 97 || $0 == 98 || $0 == 0 })
            _ = try? root.bytes("changing")
            _ = try? root.names(".")
        }
        stop.withLock { $0 = true }
        writer.join()
    }
}
