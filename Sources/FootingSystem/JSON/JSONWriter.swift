/// Writes a JSON document piece by piece, without a tree of its values.
///
/// Keys are sorted by their bytes, each level is indented by two spaces. Members may come in any
/// order: at an object's end those that are out of order change places. A report of 12 KB takes
/// less than half of what a tree takes to be built, written and freed.
public struct JSONWriter: ~Copyable {
    /// A member of an object that is still open; not private, which crashes Swift 6.3's compiler.
    struct Member: BitwiseCopyable {
        /// The key's first eight bytes: where two keys differ, these nearly always do.
        let head: UInt64
        /// Where the line feed before the key is.
        let start: UInt32
        /// Where the comma behind the value is.
        var end: UInt32 = 0
    }

    private var output = GrowingBuffer<UInt8>(capacity: 32768)
    /// The members of all open objects, the outermost object's first.
    private var members = GrowingBuffer<Member>(capacity: 128)
    private var indentation = 0
    /// Whether nothing is in the innermost object or list yet.
    private var isFirst = true

    /// An empty document.
    public init() {}

    /// The document.
    public var text: String {
        unsafe String(decoding: output.contents, as: UTF8.self)
    }

    /// The document in UTF-8.
    public var bytes: [UInt8] {
        unsafe Array(output.contents)
    }

    /// Puts a line feed behind the document.
    public mutating func endLine() {
        output.append(UInt8(ascii: "\n"))
    }
}

// MARK: - Objects and lists

extension JSONWriter {
    /// Where an object that is still open begins.
    public struct OpenObject {
        fileprivate let members: Int
        fileprivate let start: Int
    }

    /// Begins an object: each member is a ``key(_:)`` and a value.
    public mutating func beginObject() -> OpenObject {
        begin("{")
        return OpenObject(members: members.count, start: output.count)
    }

    /// Ends the innermost object.
    public mutating func end(_ object: OpenObject) {
        arrange(object)
        members.cut(to: object.members)
        end("}")
    }

    /// An object's next key; its value is what is written next.
    ///
    /// - Parameter key: one that needs no escape, and that the object does not have yet.
    public mutating func key(_ key: StaticString) {
        separate()
        let bytes = unsafe UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount)
        members.append(Member(head: unsafe Self.head(bytes), start: UInt32(output.count)))
        startLine()
        output.append(UInt8(ascii: "\""))
        unsafe output.append(bytes)
        append("\": ")
    }

    /// Begins a list: each element is an ``element()`` and a value.
    public mutating func beginArray() { begin("[") }

    /// Begins a list's next element, which is what is written next.
    public mutating func element() {
        separate()
        startLine()
    }

    /// Ends the innermost list.
    public mutating func endArray() { end("]") }

    private mutating func begin(_ bracket: Unicode.Scalar) {
        output.append(UInt8(ascii: bracket))
        indentation += 2
        isFirst = true
    }

    private mutating func end(_ bracket: Unicode.Scalar) {
        indentation -= 2
        if !isFirst { startLine() }
        isFirst = false
        output.append(UInt8(ascii: bracket))
    }

    private mutating func separate() {
        if !isFirst { output.append(UInt8(ascii: ",")) }
        isFirst = false
    }

    private mutating func startLine() {
        output.append(UInt8(ascii: "\n"))
        output.append(UInt8(ascii: " "), count: indentation)
    }

    private static func head(_ key: UnsafeBufferPointer<UInt8>) -> UInt64 {
        var head: UInt64 = 0
        for at in 0..<Swift.min(8, key.count) {
            head |= unsafe UInt64(key[at]) << UInt64(56 - 8 * at)
        }
        return head
    }

    /// Puts the innermost object's members in order.
    private mutating func arrange(_ object: OpenObject) {
        let first = object.members
        var isInOrder = true
        for index in first..<members.count {
            let isLast = index + 1 == members.count
            members[index].end = isLast ? UInt32(output.count) : members[index + 1].start - 1
            guard index > first, precedes(members[index], members[index - 1]) else { continue }
            isInOrder = false
        }
        if isInOrder { return }
        // By insertion: there are few, and most are in order.
        for index in first..<members.count {
            let member = members[index]
            var place = index
            while place > first, precedes(member, members[place - 1]) {
                members[place] = members[place - 1]
                place -= 1
            }
            members[place] = member
        }
        let end = output.count
        for index in first..<members.count {
            if index > first { output.append(UInt8(ascii: ",")) }
            output.appendCopy(of: Int(members[index].start)..<Int(members[index].end))
        }
        output.replace(at: object.start, byLastFrom: end)
    }

    private func precedes(_ first: Member, _ second: Member) -> Bool {
        if first.head != second.head { return first.head < second.head }
        // Behind the line feed, the indentation and the quotation mark.
        var (one, other) = (Int(first.start) + indentation + 2, Int(second.start) + indentation + 2)
        let quote = UInt8(ascii: "\"")
        while output[one] == output[other], output[one] != quote {
            one += 1
            other += 1
        }
        precondition(output[one] != output[other], "an object has a key twice")
        if output[one] == quote || output[other] == quote { return output[one] == quote }
        return output[one] < output[other]
    }
}

// MARK: - Values

extension JSONWriter {
    /// The absent value.
    public mutating func null() { append("null") }

    /// True or false.
    public mutating func bool(_ value: Bool) { append(value ? "true" : "false") }

    /// A whole number.
    public mutating func integer(_ value: Int64) {
        if value < 0 { output.append(UInt8(ascii: "-")) }
        unsigned(value.magnitude)
    }

    /// A size or a count.
    public mutating func unsigned(_ value: UInt64) {
        var rest = value
        repeat {
            output.append(UInt8(ascii: "0"))
            rest /= 10
        } while rest > 0
        rest = value
        var place = output.count
        while rest > 0 {
            place -= 1
            output[place] += UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }

    /// A number with a fraction; must be finite.
    public mutating func number(_ value: Double) {
        precondition(value.isFinite, "JSON has no \(value)")
        append(text: "\(value)")
    }

    /// A text.
    public mutating func string(_ text: String) {
        output.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { bytes in
            // Few texts need an escape: the others are copied as a whole.
            if unsafe Self.arePlain(bytes) {
                unsafe output.append(bytes)
            } else {
                unsafe escape(bytes)
            }
        }
        output.append(UInt8(ascii: "\""))
    }

    /// A tree.
    public mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .integer(let value): integer(value)
        case .unsigned(let value): unsigned(value)
        case .number(let value): number(value)
        case .string(let text): string(text)
        case .array(let values):
            beginArray()
            for value in values {
                element()
                self.value(value)
            }
            endArray()
        case .object(let members):
            // In order already, and any key may need an escape.
            begin("{")
            for (key, value) in members {
                element()
                string(key)
                append(": ")
                self.value(value)
            }
            end("}")
        }
    }

    private mutating func append(_ text: StaticString) {
        unsafe output.append(
            UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        )
    }

    private mutating func append(text: String) {
        var text = text
        text.withUTF8 { unsafe output.append($0) }
    }
}

// MARK: - Escapes

extension JSONWriter {
    /// What U+0080 to U+00BF begin with in UTF-8; to terminals, those up to U+009F are controls.
    private static let controlLead: UInt8 = 0xc2

    /// Whether each byte stands for itself in a JSON text, whatever follows it.
    static func arePlain(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var at = 0
        // Eight at a time; a byte of 0 in a word is found by what it borrows from its highest bit.
        // In Swift `&` binds tighter than `&-`.
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highest = ones << 7
        let start = unsafe UnsafeRawPointer(bytes.baseAddress)
        while let start = unsafe start, at + 8 <= bytes.count {
            let word = unsafe start.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            func holds(_ byte: UInt8) -> UInt64 {
                let difference = word ^ ones &* UInt64(byte)
                return (difference &- ones) & ~difference
            }
            let isBelowSpace = (word &- ones &* 0x20) & ~word
            let found =
                isBelowSpace | holds(0x7f) | holds(UInt8(ascii: "\"")) | holds(UInt8(ascii: "\\"))
                | holds(controlLead)
            if found & highest != 0 { return false }
            at += 8
        }
        while at < bytes.count {
            guard unsafe isPlain(bytes[at]) else { return false }
            at += 1
        }
        return true
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x7f && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
            && byte != controlLead
    }

    /// Bytes of other multi-byte characters need no escape, so it is written byte by byte.
    private mutating func escape(_ bytes: UnsafeBufferPointer<UInt8>) {
        var isBehindLead = false
        for at in 0..<bytes.count {
            let byte = unsafe bytes[at]
            if isBehindLead {
                isBehindLead = false
                if byte < 0xa0 {
                    append(text: "\\u" + hexadecimal(UInt32(byte), digits: 4))
                } else {
                    output.append(Self.controlLead)
                    output.append(byte)
                }
                continue
            }
            switch byte {
            case Self.controlLead: isBehindLead = true
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\\"): append("\\\\")
            case UInt8(ascii: "\n"): append("\\n")
            case UInt8(ascii: "\r"): append("\\r")
            case UInt8(ascii: "\t"): append("\\t")
            case ..<0x20, 0x7f: append(text: "\\u" + hexadecimal(UInt32(byte), digits: 4))
            default: output.append(byte)
            }
        }
    }
}
