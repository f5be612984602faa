extension TapeArchive {
    /// The tree that an archive holds; whoever made it is not trusted.
    ///
    /// Nothing is unpacked to a disk, so a name can do no harm: it is a key in a table. What a
    /// recording never has (hard links, character devices, names that are absolute or climb, the
    /// same name twice) is refused all the same, as it was not made by this program.
    ///
    /// - Parameter bytes: a ustar archive, with the extensions of pax and GNU for long names.
    public static func nodes(in bytes: [UInt8]) throws(ArchiveError) -> [String: RecordedNode] {
        var reader = Reader(bytes: bytes)
        var nodes: [String: RecordedNode] = [:]
        while let (path, node) = try reader.next() {
            if let known = nodes[path], known != .folder || node != .folder {
                throw ArchiveError("'\(path)' is there twice")
            }
            nodes[path] = node
        }
        return nodes
    }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0
        /// Names for the next entry that did not fit into its header.
        var longName: String?
        var longTarget: String?

        mutating func next() throws(ArchiveError) -> (String, RecordedNode)? {
            while let block = try header() {
                let kind = block[block.startIndex + Field.kind]
                let content = try content(block, kind)
                switch kind {
                case Kind.extended: try readExtended(content)
                case Kind.extendedGlobal: break
                case Kind.longName: longName = Self.text(content)
                case Kind.longTarget: longTarget = Self.text(content)
                default:
                    let node = try node(block, kind, content)
                    let name = longName ?? Self.name(block)
                    longName = nil
                    longTarget = nil
                    // `tar -C DIR .` begins with the folder itself.
                    guard let path = try Self.path(name) else { continue }
                    return (path, node)
                }
            }
            return nil
        }

        /// The next header; nil at the end.
        private mutating func header() throws(ArchiveError) -> ArraySlice<UInt8>? {
            guard bytes.count - position >= blockBytes else {
                throw ArchiveError("cut off at byte \(position): the archive has no end")
            }
            let block = bytes[position..<position + blockBytes]
            if block.allSatisfy({ $0 == 0 }) { return nil }
            guard let sum = Self.octal(block, Field.checksum), sum == TapeArchive.sum(block) else {
                throw ArchiveError("no header with a right checksum at byte \(position)")
            }
            position += blockBytes
            return block
        }

        private mutating func content(
            _ block: ArraySlice<UInt8>,
            _ kind: UInt8
        ) throws(ArchiveError) -> ArraySlice<UInt8> {
            guard let size = Self.octal(block, Field.size) else {
                throw ArchiveError("no size in the header before byte \(position)")
            }
            // A size in the header of what has no content means nothing.
            let hasContent = kind != Kind.link && kind != Kind.folder && kind != Kind.blockDevice
            guard hasContent, size > 0 else { return [] }
            guard size <= bytes.count - position else {
                throw ArchiveError("cut off at byte \(position): \(size) bytes should follow")
            }
            let content = bytes[position..<position + size]
            let blocks = (size + blockBytes - 1) / blockBytes
            position = min(position + blocks * blockBytes, bytes.count)
            return content
        }

        private func node(
            _ block: ArraySlice<UInt8>,
            _ kind: UInt8,
            _ content: ArraySlice<UInt8>
        ) throws(ArchiveError) -> RecordedNode {
            switch kind {
            case Kind.folder: return .folder
            case Kind.link:
                let target = longTarget ?? Self.text(block, Field.target)
                guard !target.isEmpty, target.utf8.count <= pathBytesMaximum else {
                    throw ArchiveError("a link without a target before byte \(position)")
                }
                return .link(target)
            case Kind.file, Kind.oldFile:
                // Without permissions it is there, and was not read.
                let mode = Self.octal(block, Field.mode) ?? 0
                return mode & 0o444 == 0 ? .present : .file(Array(content))
            case Kind.blockDevice:
                guard let major = Self.octal(block, Field.major).flatMap({ UInt32(exactly: $0) }),
                    let minor = Self.octal(block, Field.minor).flatMap({ UInt32(exactly: $0) })
                else { throw ArchiveError("a device without its number before byte \(position)") }
                return .blockDevice(FileStatus.Device(major: major, minor: minor))
            default:
                let letter = kind > 32 && kind < 127 ? String(Unicode.Scalar(kind)) : "\(kind)"
                throw ArchiveError(
                    "'\(Self.name(block))' is an entry of kind \(letter): recordings hold files, "
                        + "folders, symbolic links and the numbers of block devices"
                )
            }
        }

        /// The records `LENGTH KEY=VALUE\n` of a pax header; only the names matter.
        private mutating func readExtended(_ content: ArraySlice<UInt8>) throws(ArchiveError) {
            var rest = content
            while !rest.isEmpty {
                let digits = rest.prefix { $0 >= 48 && $0 < 58 }
                guard let length = Int(String(decoding: digits, as: UTF8.self)),
                    length > digits.count + 2, length <= rest.count,
                    rest[rest.startIndex + length - 1] == 10
                else { throw ArchiveError("a damaged pax header before byte \(position)") }
                let record = rest.prefix(length - 1).dropFirst(digits.count + 1)
                rest = rest.dropFirst(length)
                if record.starts(with: "path=".utf8) {
                    longName = Self.text(record.dropFirst(5))
                } else if record.starts(with: "linkpath=".utf8) {
                    longTarget = Self.text(record.dropFirst(9))
                }
            }
        }

        private static func name(_ block: ArraySlice<UInt8>) -> String {
            let name = text(block, Field.name)
            let start = block.startIndex + Field.magic.lowerBound
            // GNU's own format, `ustar` and two blanks, has other things in the prefix's place.
            guard block[start..<start + 6].elementsEqual("ustar\u{0}".utf8) else { return name }
            let prefix = text(block, Field.prefix)
            return prefix.isEmpty ? name : "\(prefix)/\(name)"
        }

        /// The path below the root; nil for the root itself.
        private static func path(_ name: String) throws(ArchiveError) -> String? {
            let parts = PathWalk.components(name).filter { $0 != "." }
            guard name.utf8.first != UInt8(ascii: "/"), !parts.contains(".."),
                name.utf8.count <= pathBytesMaximum
            else { throw ArchiveError("the name '\(name.prefix(100))' leads out of the recording") }
            return parts.isEmpty ? nil : parts.joined(separator: "/")
        }

        private static func text(_ block: ArraySlice<UInt8>, _ field: Range<Int>) -> String {
            let start = block.startIndex + field.lowerBound
            return text(block[start..<start + field.count])
        }

        private static func text(_ bytes: ArraySlice<UInt8>) -> String {
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }

        /// A number in octal digits; nil if it is none, or larger than any recording.
        private static func octal(_ block: ArraySlice<UInt8>, _ field: Range<Int>) -> Int? {
            let text = text(block, field)
            let digits = text.utf8.drop { $0 == 32 }.prefix { $0 != 32 }
            guard digits.count <= 11, digits.allSatisfy({ (48...55).contains($0) }) else {
                return nil
            }
            return digits.isEmpty ? 0 : Int(String(decoding: digits, as: UTF8.self), radix: 8)
        }
    }
}
