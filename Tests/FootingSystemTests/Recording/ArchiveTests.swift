import FootingSystem
import FootingTestSupport
import Glibc
import Testing

@Suite struct GzipTests {
    @Test(arguments: [0, 1, 511, 65536, 1_000_000])
    func `what is compressed comes back`(_ count: Int) throws {
        var random = SeededRandom(seed: UInt64(count))
        let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next() & 0x0f) }
        let compressed = Gzip.compress(bytes)
        #expect(try Gzip.decompress(compressed, limitBytes: count) == bytes)
        #expect(compressed == Gzip.compress(bytes))
        if count > 0 {
            #expect(throws: ArchiveError.self) {
                try Gzip.decompress(compressed, limitBytes: count - 1)
            }
        }
    }

    @Test func `a bomb is stopped at the limit`() throws {
        let bomb = Gzip.compress([UInt8](repeating: 0, count: 64 << 20))
        #expect(bomb.count < 128 << 10)
        let error = #expect(throws: ArchiveError.self) {
            try Gzip.decompress(bomb, limitBytes: 1 << 20)
        }
        #expect(error?.description == "more than 1048576 bytes once it is unpacked")
    }

    @Test func `what is cut off, damaged or followed by something is refused`() {
        let whole = Gzip.compress(Array("a recording".utf8))
        for count in 0..<whole.count {
            #expect(throws: ArchiveError.self) {
                try Gzip.decompress(Array(whole[..<count]), limitBytes: 1000)
            }
        }
        var damaged = whole
        damaged[whole.count - 6] ^= 1
        #expect(throws: ArchiveError.self) { try Gzip.decompress(damaged, limitBytes: 1000) }
        #expect(throws: ArchiveError.self) { try Gzip.decompress(whole + [0], limitBytes: 1000) }
        #expect(throws: ArchiveError.self) {
            try Gzip.decompress(Array("no gzip at all".utf8), limitBytes: 1000)
        }
    }
}

@Suite struct TapeArchiveTests {
    static let long = (0..<40).map { "component-\($0)" }.joined(separator: "/")

    static let nodes: [String: RecordedNode] = [
        "sys": .folder,
        "sys/empty": .folder,
        "sys/attribute": .file(Array("text\n".utf8)),
        "sys/nothing": .file([]),
        "sys/block": .file([UInt8](repeating: 7, count: 512)),
        "sys/binary": .file((0...255).map { UInt8($0) } + [1]),
        "sys/unread": .present,
        "sys/link": .link("../devices/pci0000:00/0000:00:01.0"),
        "dev/sda": .blockDevice(FileStatus.Device(major: 8, minor: 1_048_575)),
        long: .file([1, 2, 3]),
        "sys/far": .link("../" + long),
        "sys/ünïcödé \\ name": .file(Array("x".utf8)),
    ]

    @Test func `what is written is read`() throws {
        let bytes = TapeArchive.bytes(of: Self.nodes)
        #expect(bytes.count % 512 == 0)
        #expect(try TapeArchive.nodes(in: bytes) == Self.nodes)
        // Why something could not be read is not told in an archive's header.
        let failure = TapeArchive.bytes(of: ["a": .failure(.inputOutput)])
        #expect(try TapeArchive.nodes(in: failure) == ["a": .present])
    }

    private static let hasTar = unsafe access("/bin/tar", X_OK) == 0

    @Test(.enabled(if: hasTar, "tar is missing"))
    func `tar unpacks it, and packs what is read`() throws {
        let folder = try TemporaryDirectory()
        var nodes = Self.nodes
        // Only root may make device nodes.
        nodes["dev/sda"] = nil
        let file = try FileDescriptor.open(folder.path("a.tar"), [.writeOnly, .create])
        try file.write(TapeArchive.bytes(of: nodes), at: 0)
        try folder.directory("tree")
        func run(_ command: String) -> Int32 {
            unsafe system("cd '\(folder.path)' && \(command)")
        }
        #expect(run("tar xf a.tar -C tree && test -L tree/sys/link && test -d tree/sys/empty") == 0)
        #expect(run("test \"$(cat tree/sys/attribute)\" = text") == 0)
        #expect(run("test $(stat -c %a tree/sys/unread) = 0") == 0)
        nodes["sys/unread"] = nil
        #expect(run("rm -f tree/sys/unread") == 0)
        for format in ["gnu", "pax", "ustar"] {
            // The ustar format alone has no room for long names.
            if format == "ustar" {
                nodes["sys/far"] = nil
                nodes[Self.long] = nil
                #expect(run("rm -r tree/sys/far tree/component-0") == 0)
            }
            #expect(run("tar cf b.tar --format=\(format) -C tree .") == 0)
            let packed = try HostRoot(path: folder.path).bytes("b.tar")
            var folders = nodes
            for path in nodes.keys {
                var parts = path.split(separator: "/").dropLast()
                while !parts.isEmpty {
                    folders[parts.joined(separator: "/")] = .folder
                    parts.removeLast()
                }
            }
            #expect(try TapeArchive.nodes(in: packed) == folders, "\(format)")
        }
    }

    /// An archive of one entry whose header is edited.
    private func edited(
        _ path: String = "a",
        _ node: RecordedNode = .file([1]),
        _ edit: (inout [UInt8]) -> Void
    ) -> [UInt8] {
        var bytes = TapeArchive.bytes(of: [path: node])
        edit(&bytes)
        for at in 148..<156 { bytes[at] = 32 }
        let sum = String(bytes[..<512].reduce(0) { $0 + Int($1) }, radix: 8)
        for (at, byte) in sum.utf8.enumerated() { bytes[148 + at] = byte }
        return bytes
    }

    @Test(arguments: [
        "/etc/passwd", "../up", "a/../../b", "a/..", "..",
    ])
    func `a name that leads out is refused`(_ name: String) {
        let bytes = edited {
            for at in 0..<100 { $0[at] = 0 }
            for (at, byte) in name.utf8.enumerated() { $0[at] = byte }
        }
        #expect(throws: ArchiveError("the name '\(name)' leads out of the recording")) {
            try TapeArchive.nodes(in: bytes)
        }
    }

    @Test(arguments: Array("1367DSV".utf8))
    func `hard links, devices and FIFOs are refused`(_ kind: UInt8) {
        let bytes = edited { $0[156] = kind }
        #expect(throws: ArchiveError.self) { try TapeArchive.nodes(in: bytes) }
    }

    @Test func `a header that lies is refused`() throws {
        var wrong = TapeArchive.bytes(of: ["a": .file([1])])
        wrong[0] ^= 1
        #expect(throws: ArchiveError.self) { try TapeArchive.nodes(in: wrong) }
        for size in ["77777777777", "00000002001", "-0000000001", "0000000000x"] {
            let bytes = edited { bytes in
                for (at, byte) in size.utf8.enumerated() { bytes[124 + at] = byte }
            }
            #expect(throws: ArchiveError.self, "\(size)") { try TapeArchive.nodes(in: bytes) }
        }
        let twice = TapeArchive.bytes(of: ["a": .file([1])]).dropLast(1024)
        #expect(throws: ArchiveError("'a' is there twice")) {
            try TapeArchive.nodes(in: twice + TapeArchive.bytes(of: ["a": .file([2])]))
        }
    }

    @Test func `an archive that is cut off anywhere is refused`() {
        let bytes = TapeArchive.bytes(of: Self.nodes)
        for count in stride(from: 0, to: bytes.count - 1024, by: 100) {
            #expect(throws: ArchiveError.self) {
                try TapeArchive.nodes(in: Array(bytes[..<count]))
            }
        }
    }
}
