import FootingSystem
import FootingTestSupport
import Glibc
import Testing

/// A recorded tree must not show the machine that replays it, whatever its links say.
@Suite struct HostRootTests {
    let outside: TemporaryDirectory
    let tree: TemporaryDirectory
    let root: HostRoot

    init() throws {
        outside = try TemporaryDirectory()
        try outside.file("secret", "secret")
        tree = try TemporaryDirectory()
        try tree.directory("sys")
        try tree.directory("sys/b")
        try tree.file("sys/a", "  inside \n\u{0}")
        try tree.link("absolute", to: "/sys/a")
        try tree.link("climbing", to: "../../../../sys/a")
        try tree.link("escape", to: outside.path)
        try tree.link("sys/dangling", to: "nowhere")
        root = try HostRoot(path: tree.path)
    }

    @Test func `paths are relative to the root`() throws {
        #expect(!root.isLive)
        #expect(try root.text("/sys/a") == "inside")
        #expect(try root.text("sys/a") == "inside")
        #expect(try root.text("//sys/../sys/a") == "inside")
    }

    @Test func `absolute links and climbing links stay inside`() throws {
        #expect(try root.text("absolute") == "inside")
        #expect(try root.text("climbing") == "inside")
        #expect(try root.text("/../../../sys/a") == "inside")
        #expect(try root.status("absolute").kind == .regular)
        #expect(try root.status("climbing").kind == .regular)
    }

    @Test func `nothing outside is read, listed or seen`() throws {
        let path = "escape/secret"
        #expect(throws: Errno.noSuchFile) { try root.bytes(path) }
        #expect(throws: Errno.noSuchFile) { try root.status(path) }
        #expect(throws: Errno.noSuchFile) { try root.link(path) }
        #expect(throws: Errno.noSuchFile) { try root.names("escape") }
        #expect(!root.exists(path))
        #expect(!root.exists(outside.path("secret")))
    }

    @Test func `links are told verbatim`() throws {
        #expect(try root.link("absolute") == "/sys/a")
        #expect(try root.link("sys/dangling") == "nowhere")
        #expect(throws: Errno.invalidArgument) { try root.link("sys/a") }
    }

    @Test func `a dangling link exists`() throws {
        #expect(root.exists("sys/dangling"))
        #expect(!root.exists("sys/nothing"))
        #expect(try root.status("sys/dangling", followsLink: false).kind == .symbolicLink)
        #expect(throws: Errno.noSuchFile) { try root.status("sys/dangling") }
    }

    @Test func `names are sorted and complete`() throws {
        #expect(try root.names("sys") == ["a", "b", "dangling"])
        #expect(try root.names("/") == ["absolute", "climbing", "escape", "sys"])
        #expect(try root.names("sys/b") == [])
        #expect(throws: Errno.notDirectory) { try root.names("sys/a") }
    }

    @Test func `a file above the limit is refused, not cut`() throws {
        let file = try FileDescriptor.open(tree.path("large"), [.writeOnly, .create])
        try file.resize(toBytes: UInt64(HostRoot.fileSizeLimitBytes))
        #expect(try root.bytes("large").count == HostRoot.fileSizeLimitBytes)
        try file.resize(toBytes: UInt64(HostRoot.fileSizeLimitBytes) + 1)
        #expect(throws: Errno.tooLarge) { try root.bytes("large") }
    }

    @Test func `the live machine has a process table`() throws {
        let live = try HostRoot()
        #expect(live.isLive)
        #expect(try live.text("/proc/self/comm") != "")
        #expect(try live.link("proc/self") == String(getpid()))
        #expect(try live.status("proc").kind == .directory)
    }

    @Test func `a root that is missing is an error`() {
        #expect(throws: Errno.noSuchFile) { try HostRoot(path: tree.path("nothing")) }
    }

    @Test func `a climbing link is followed while files are renamed elsewhere`() throws {
        // The kernel then cannot tell where ".." leads, and asks to try again.
        try outside.file("here", "")
        let (here, there) = (outside.path("here"), outside.path("there"))
        let isOver = Locked(false)
        let renaming = try Thread(name: "renaming") {
            while !isOver.withLock({ $0 }) {
                _ = unsafe rename(here, there)
                _ = unsafe rename(there, here)
            }
        }
        var failures: [Errno] = []
        for _ in 0..<20_000 {
            do throws(Errno) {
                _ = try root.attribute("climbing")
            } catch {
                failures.append(error)
            }
        }
        isOver.withLock { $0 = true }
        renaming.join()
        #expect(failures == [])
    }
}
