/// An archive in the ustar format (POSIX.1-1988) with pax headers (POSIX.1-2001) for long names.
///
/// It holds what ``RecordedNode`` can be and nothing else; `tar` lists and unpacks it. What could
/// not be read, or was not, has no permission bits, and is as unreadable once it is unpacked.
public enum TapeArchive {
    /// Everything is in blocks of this size, the headers too.
    static let blockBytes = 512
    /// No path of a machine is longer.
    static let pathBytesMaximum = 4096

    /// Whether a path is one that a reader takes, also as a folder's, with a slash at the end.
    public static func canHold(_ path: String) -> Bool {
        path.utf8.count < pathBytesMaximum
            && PathWalk.components(path).count <= RecordedTree.depthMaximum
    }

    /// Kinds of entries, by their letter.
    enum Kind {
        static let file = UInt8(ascii: "0")
        static let oldFile: UInt8 = 0
        static let link = UInt8(ascii: "2")
        static let blockDevice = UInt8(ascii: "4")
        static let folder = UInt8(ascii: "5")
        static let extended = UInt8(ascii: "x")
        static let extendedGlobal = UInt8(ascii: "g")
        static let longName = UInt8(ascii: "L")
        static let longTarget = UInt8(ascii: "K")
    }

    /// Where the fields of a header are.
    enum Field {
        static let name = 0..<100
        static let mode = 100..<108
        static let owner = 108..<116
        static let group = 116..<124
        static let size = 124..<136
        static let time = 136..<148
        static let checksum = 148..<156
        static let kind = 156
        static let target = 157..<257
        static let magic = 257..<265
        static let major = 329..<337
        static let minor = 337..<345
        static let prefix = 345..<500
    }

    /// The archive of a tree, its entries by path; equal trees give equal bytes.
    public static func bytes(of nodes: [String: RecordedNode]) -> [UInt8] {
        var output: [UInt8] = []
        for path in nodes.keys.sorted() {
            if let node = nodes[path] { write(node, path, to: &output) }
        }
        // Two empty blocks are the end.
        output += [UInt8](repeating: 0, count: 2 * blockBytes)
        return output
    }

    private static func write(_ node: RecordedNode, _ path: String, to output: inout [UInt8]) {
        var header = Header()
        var content: [UInt8] = []
        var target = ""
        switch node {
        case .folder:
            header.kind = Kind.folder
            header.mode = 0o755
        case .file(let bytes):
            header.mode = 0o644
            content = bytes
        case .link(let text):
            header.kind = Kind.link
            header.mode = 0o777
            target = text
        case .blockDevice(let device):
            header.kind = Kind.blockDevice
            header.mode = 0o600
            header.major = device.major
            header.minor = device.minor
        case .failure, .present: break
        }
        let name = node == .folder ? path + "/" : path
        var records: [UInt8] = []
        if name.utf8.count > Field.name.count { records += record("path", name) }
        if target.utf8.count > Field.target.count { records += record("linkpath", target) }
        if !records.isEmpty {
            var extended = Header()
            extended.kind = Kind.extended
            extended.mode = 0o644
            append(extended, "pax", "", records, to: &output)
        }
        append(header, name, target, content, to: &output)
    }

    private static func append(
        _ header: Header,
        _ name: String,
        _ target: String,
        _ content: [UInt8],
        to output: inout [UInt8]
    ) {
        output += header.block(name: name, target: target, sizeBytes: content.count)
        output += content
        let rest = content.count % blockBytes
        if rest > 0 { output += [UInt8](repeating: 0, count: blockBytes - rest) }
    }

    /// `LENGTH KEY=VALUE\n`, where the length counts itself.
    private static func record(_ key: String, _ value: String) -> [UInt8] {
        let body = " \(key)=\(value)\n"
        var length = body.utf8.count
        while length != body.utf8.count + String(length).utf8.count {
            length = body.utf8.count + String(length).utf8.count
        }
        return Array("\(length)\(body)".utf8)
    }

    /// What a header says beside the names and the size.
    private struct Header {
        var kind = Kind.file
        var mode: UInt32 = 0
        var major: UInt32 = 0
        var minor: UInt32 = 0

        /// The header's block; names that do not fit are cut, a pax header has them whole.
        func block(name: String, target: String, sizeBytes: Int) -> [UInt8] {
            var block = [UInt8](repeating: 0, count: blockBytes)
            func put(_ bytes: some Sequence<UInt8>, _ field: Range<Int>) {
                for (at, byte) in zip(field, bytes) { block[at] = byte }
            }
            put(name.utf8, Field.name)
            put(octal(UInt64(mode), digits: 7), Field.mode)
            put(octal(0, digits: 7), Field.owner)
            put(octal(0, digits: 7), Field.group)
            put(octal(UInt64(sizeBytes), digits: 11), Field.size)
            put(octal(0, digits: 11), Field.time)
            block[Field.kind] = kind
            put(target.utf8, Field.target)
            put("ustar\u{0}00".utf8, Field.magic)
            put(octal(UInt64(major), digits: 7), Field.major)
            put(octal(UInt64(minor), digits: 7), Field.minor)
            put(octal(UInt64(TapeArchive.sum(block[...])), digits: 6), Field.checksum)
            block[Field.checksum.upperBound - 1] = UInt8(ascii: " ")
            return block
        }
    }

    private static func octal(_ value: UInt64, digits: Int) -> [UInt8] {
        let text = String(value, radix: 8)
        precondition(text.utf8.count <= digits, "\(value) has more than \(digits) digits")
        return [UInt8](repeating: 48, count: digits - text.utf8.count) + text.utf8
    }

    /// The sum of a header's bytes, its own field taken as blanks.
    static func sum(_ block: ArraySlice<UInt8>) -> Int {
        var sum = 0
        for (offset, byte) in block.enumerated() {
            sum += Field.checksum.contains(offset) ? 32 : Int(byte)
        }
        return sum
    }
}
