import FootingSystem
import FootingTestSupport
import Testing

/// A tree in memory must answer as the same tree does on a disk.
@Suite struct RecordedTreeTests {
    static let nodes: [String: RecordedNode] = [
        "etc/fact": .file(Array("inside\n".utf8)),
        "etc/folder": .folder,
        "proc/absolute": .link("/etc/fact"),
        "proc/climbing": .link("../../../../etc/fact"),
        "proc/dangling": .link("nowhere"),
        "proc/own": .link("own"),
        "proc/one": .link("two"),
        "proc/two": .link("one"),
        "proc/folder": .link("../etc"),
        "proc/through": .link("folder/fact"),
        "proc/self": .link("1"),
        "proc/1/status": .file(Array("\u{0} x \u{0}".utf8)),
    ]

    private func trees() throws -> (memory: HostRoot, disk: HostRoot, folder: TemporaryDirectory) {
        let folder = try TemporaryDirectory()
        for name in ["etc", "etc/folder", "proc", "proc/1"] { try folder.directory(name) }
        for (path, node) in Self.nodes {
            switch node {
            case .file(let bytes): try folder.file(path, String(decoding: bytes, as: UTF8.self))
            case .link(let target): try folder.link(path, to: target)
            default: break
            }
        }
        let memory = HostRoot(path: "memory", recording: try RecordedTree(Self.nodes))
        return (memory, try HostRoot(path: folder.path), folder)
    }

    @Test(arguments: [
        "etc/fact", "/etc/fact", "etc/folder", "etc", "/", "", ".", "etc/../etc/fact",
        "../../etc/fact", "proc/absolute", "proc/climbing", "proc/dangling", "proc/own",
        "proc/one", "proc/folder", "proc/folder/fact", "proc/through", "proc/self/status",
        "proc/self", "nothing", "nothing/below", "etc/fact/below", "proc/absolute/below",
        "proc/folder/../etc/fact", "etc//fact", "./etc/./fact",
    ])
    func `every question has the same answer`(_ path: String) throws {
        let (memory, disk, folder) = try trees()
        func compare<Value: Equatable>(
            _ what: String,
            _ ask: (HostRoot) throws -> Value
        ) {
            let answers = [memory, disk].map { root in Result { try ask(root) } }
            switch (answers[0], answers[1]) {
            case (.success(let mine), .success(let theirs)):
                #expect(mine == theirs, "\(what) \(path)")
            case (.failure(let mine), .failure(let theirs)):
                #expect(mine as? Errno == theirs as? Errno, "\(what) \(path)")
            default: Issue.record("\(what) \(path): \(answers)")
            }
        }
        compare("bytes") { try $0.bytes(path) }
        compare("text") { try $0.attribute(path) }
        compare("first") { try $0.firstBytes(path, count: 3) }
        compare("link") { try $0.link(path) }
        compare("names") { try $0.names(path) }
        compare("kind") { try $0.status(path).kind }
        compare("own kind") { try $0.status(path, followsLink: false).kind }
        compare("exists") { $0.exists(path) }
        compare("folder") { try $0.folder(path).names(".") }
        compare("within") { try $0.folder("proc").attribute("1/status") }
        #expect(!folder.path.isEmpty)
    }

    @Test(arguments: ["", "/a", "a/", "a//b", "a/../b", "./a", ".."])
    func `a path that is none is refused`(_ path: String) {
        #expect(throws: ArchiveError.self) { try RecordedTree([path: .file([])]) }
    }

    @Test func `nothing lies below a file or a link`() {
        for above in [RecordedNode.file([]), .link("/etc"), .present] {
            #expect(throws: ArchiveError.self) { try RecordedTree(["a": above, "a/b": .folder]) }
        }
    }

    private func root(_ nodes: [String: RecordedNode]) throws(ArchiveError) -> HostRoot {
        HostRoot(path: "memory", recording: try RecordedTree(nodes))
    }

    @Test func `a path deeper than any machine's is refused`() throws {
        let deepest = Array(repeating: "a", count: 128).joined(separator: "/")
        #expect(try root([deepest: .file([1])]).bytes(deepest) == [1])
        #expect(throws: ArchiveError.self) { try RecordedTree(["\(deepest)/a": .file([])]) }
    }

    @Test func `folders that only paths name take a bounded part of the memory`() throws {
        // Each path is small, and implies 127 folders whose paths are together a hundred times it.
        func nodes(_ count: Int) -> [String: RecordedNode] {
            let deep = Array(repeating: "folder", count: 127).joined(separator: "/")
            let paths = (0..<count).map { ("\($0)/\(deep)", RecordedNode.present) }
            return Dictionary(uniqueKeysWithValues: paths)
        }
        #expect(throws: ArchiveError.self) { try RecordedTree(nodes(1000)) }
        #expect(try root(nodes(100)).names(".").count == 100)
        // Folders that are shared count once.
        let deep = Array(repeating: "folder", count: 127).joined(separator: "/")
        let shared = (0..<1000).map { ("\(deep)/\($0)", RecordedNode.present) }
        let one = try root(Dictionary(uniqueKeysWithValues: shared))
        #expect(try one.names(deep).count == 1000)
    }

    @Test func `a chain of long links ends`() throws {
        let detour = String(repeating: "f/../", count: 800)
        var nodes: [String: RecordedNode] = ["f": .folder, "end": .file([7])]
        for index in 0..<6 {
            nodes["l\(index)"] = .link(detour + (index == 0 ? "end" : "l\(index - 1)"))
        }
        let tree = try root(nodes)
        // 1,601 components for each.
        #expect(try tree.bytes("l1") == [7])
        for index in 2..<6 {
            #expect(throws: Errno.tooManyLinks) { try tree.bytes("l\(index)") }
        }
    }

    @Test func `what was not read is there, and cannot be`() throws {
        let tree = try RecordedTree(["a": .present, "b": .failure(.inputOutput)])
        let root = HostRoot(path: "memory", recording: tree)
        #expect(root.exists("a"))
        #expect(root.exists("b"))
        #expect(throws: Errno.permissionDenied) { try root.bytes("a") }
        #expect(throws: Errno.inputOutput) { try root.attribute("b") }
        #expect(throws: Errno.self) { _ = try root.open("a") }
    }

    @Test func `an answer is kept instead of what it rests on`() throws {
        let tree = try RecordedTree([:], answers: ["signature a": .success("xfs")])
        let root = HostRoot(path: "memory", recording: tree)
        #expect(try root.answer("signature a") { () throws(Errno) in throw .inputOutput } == "xfs")
        #expect(throws: Errno.noSuchFile) {
            try root.answer("signature b") { () throws(Errno) in "asked" }
        }
        #expect(root.resolved("relative") == "/relative")
    }
}
