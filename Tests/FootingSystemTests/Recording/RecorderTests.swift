import FootingSystem
import FootingTestSupport
import Glibc
import Testing

@Suite struct RecorderTests {
    let folder: TemporaryDirectory
    let recorder: HostRecorder
    let root: HostRoot

    init() throws {
        folder = try TemporaryDirectory()
        for name in ["devices", "devices/d0", "bus"] { try folder.directory(name) }
        try folder.file("devices/d0/size", "5\n")
        try folder.file("devices/d0/other", "unread")
        try folder.link("bus/d0", to: "/devices/d0")
        recorder = try HostRecorder(path: folder.path)
        root = try recorder.root()
    }

    @Test func `what is read through a link is found both ways`() throws {
        #expect(try root.attribute("bus/d0/size") == "5")
        #expect(
            recorder.nodes == ["bus/d0": .link("/devices/d0"), "devices/d0/size": .file([53, 10])]
        )
        let replay = HostRoot(path: "memory", recording: try RecordedTree(recorder.nodes))
        #expect(try replay.attribute("bus/d0/size") == "5")
        #expect(try replay.attribute("devices/d0/size") == "5")
        #expect(try replay.link("bus/d0") == "/devices/d0")
    }

    @Test func `a listing tells what is there and not what is in it`() throws {
        #expect(try root.names("bus/d0") == ["other", "size"])
        let replay = HostRoot(path: "memory", recording: try RecordedTree(recorder.nodes))
        #expect(try replay.names("devices/d0") == ["other", "size"])
        #expect(throws: Errno.permissionDenied) { try replay.attribute("devices/d0/size") }
    }

    @Test func `absence and failures are the same in the replay`() throws {
        #expect(throws: Errno.noSuchFile) { try root.attribute("nothing") }
        #expect(throws: Errno.isDirectory) { try root.attribute("devices") }
        #expect(root.exists("devices/d0/other"))
        #expect(!root.exists("devices/d1"))
        let replay = HostRoot(path: "memory", recording: try RecordedTree(recorder.nodes))
        #expect(throws: Errno.noSuchFile) { try replay.attribute("nothing") }
        #expect(throws: Errno.isDirectory) { try replay.attribute("devices") }
        #expect(replay.exists("devices/d0/other"))
        #expect(!replay.exists("devices/d1"))
    }

    @Test func `a file that became a folder is one`() throws {
        #expect(try root.attribute("devices/d0/other") == "unread")
        FileDescriptor.remove(folder.path("devices/d0/other"))
        try folder.directory("devices/d0/other")
        try folder.file("devices/d0/other/below", "x")
        #expect(try root.attribute("devices/d0/other/below") == "x")
        let replay = HostRoot(path: "memory", recording: try RecordedTree(recorder.nodes))
        #expect(try replay.attribute("devices/d0/other/below") == "x")
    }

    @Test func `questions are counted by what they come down to`() throws {
        _ = try root.attribute("bus/d0/size")
        _ = try root.folder("devices/d0").bytes("size")
        let question = HostRecorder.Question(access: .content, path: "devices/d0/size")
        #expect(recorder.counts[question] == 2)
        // A root that remembers asks once, whoever asks.
        let once = root.remembering()
        for _ in 0..<3 { _ = try once.attribute("bus/d0/size") }
        #expect(recorder.counts[question] == 3)
    }

    @Test func `a root that remembers gives what was there first`() throws {
        let once = root.remembering()
        #expect(try once.beginning("devices/d0/size", limitBytes: 1) == "5")
        try FileDescriptor.open(folder.path("devices/d0/size"), [.writeOnly]).write([57], at: 0)
        #expect(try once.attribute("devices/d0/size") == "9")
        #expect(try root.remembering().attribute("devices/d0/size") == "9")
        try FileDescriptor.open(folder.path("devices/d0/size"), [.writeOnly]).write([56], at: 0)
        #expect(try once.attribute("devices/d0/size") == "9")
        #expect(try once.folder("devices").attribute("d0/size") == "9")
        #expect(!once.exists("later"))
        try folder.file("later", "x")
        #expect(!once.exists("later"))
        #expect(root.exists("later"))
    }

    @Test func `a root that remembers keeps thousands of answers apart`() throws {
        let once = root.remembering()
        let names = (0..<3000).map { "many/\($0)" }
        try folder.directory("many")
        for name in names { #expect(!once.exists(name)) }
        for name in names { try folder.file(name, name) }
        for name in names {
            #expect(!once.exists(name))
            #expect(try once.attribute(name) == name)
        }
        for name in names { FileDescriptor.remove(folder.path(name)) }
        for name in names { #expect(try once.attribute(name) == name) }
    }
}
