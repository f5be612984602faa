/// Changes to a domain, as edits of its source, that are checked before anyone gets the result.
struct DomainEditor {
    let document: XMLDocument
    private var edits: [SourceEdit] = []
    /// What must differ afterwards: attributes by their elements.
    private var expected: [AttributeName: String] = [:]
    /// The attributes among them that are new, by their elements.
    private var added: [Int: [String]] = [:]
    /// The elements that are inserted, by the element that they follow.
    private var inserted: [Int: [String]] = [:]

    private struct AttributeName: Hashable {
        let element: Int
        let name: String
    }

    init(_ document: XMLDocument) {
        self.document = document
    }

    /// Whether there is anything to do.
    var isEmpty: Bool { edits.isEmpty }

    /// Whether an attribute can be set: it is not there, or in a form that is touched.
    func canSet(_ name: String, of index: Int) -> Bool {
        guard let attribute = document.elements[index].attribute(name) else { return true }
        return attribute.place != nil
    }

    /// Sets an attribute of an element; false if it stands in the source in a form that is not
    /// touched.
    mutating func set(_ name: String, of index: Int, to value: String) -> Bool {
        precondition(Self.isPlain(name) && Self.isPlain(value), "\(name)=\(value) needs escaping")
        let element = document.elements[index]
        let key = AttributeName(element: index, name: name)
        precondition(expected[key] == nil, "\(name) is set twice")
        if let attribute = element.attribute(name) {
            if attribute.value == value { return true }
            guard let place = attribute.place else { return false }
            edits.append(SourceEdit(place, Array(value.utf8)))
        } else {
            var end = element.startTag.upperBound - 1
            if element.endTag.isEmpty { end -= 1 }
            while Self.isSpace(document.source[end - 1]) { end -= 1 }
            edits.append(SourceEdit(end..<end, Array(" \(name)=\"\(value)\"".utf8)))
            added[index, default: []].append(Self.line(nil, name, value))
        }
        expected[key] = value
        return true
    }

    /// Inserts an element behind another, on a line of its own if that one has one.
    ///
    /// - Parameter lines: its lines, the inner ones without indentation; the names of its elements
    ///   in `names`, in their order.
    mutating func insert(_ lines: [String], names: [String], after index: Int) {
        let place = document.elements[index].place
        var start = place.lowerBound
        while start > 0, document.source[start - 1] == 0x20 || document.source[start - 1] == 0x09 {
            start -= 1
        }
        let hasLine = start > 0 && document.source[start - 1] == 0x0A
        let indentation = hasLine ? [0x0A] + document.source[start..<place.lowerBound] : []
        var bytes: [UInt8] = []
        for (number, line) in lines.enumerated() {
            let isInner = number > 0 && number < lines.count - 1
            bytes += indentation
            if isInner, hasLine { bytes += [0x20, 0x20] }
            bytes += line.utf8
        }
        edits.append(SourceEdit(place.upperBound..<place.upperBound, bytes))
        inserted[index, default: []] += names
    }

    /// The source with the changes, read once more and compared: nil if anything else differs.
    func result() -> [UInt8]? {
        let bytes = SourceEdit.apply(edits, to: document.source)
        guard let after = try? XMLDocument(bytes), matches(after) else { return nil }
        return bytes
    }

    /// Whether a document is the first one with the changes, and nothing else.
    private func matches(_ after: XMLDocument) -> Bool {
        var next = 0
        // Inserted elements follow the whole of the one they stand behind.
        var pending: [(end: Int, names: [String])] = []
        func takeInserted(before start: Int) -> Bool {
            while let first = pending.last, first.end <= start {
                pending.removeLast()
                for name in first.names {
                    guard next < after.elements.count, after.elements[next].name == name else {
                        return false
                    }
                    next += 1
                }
            }
            return true
        }
        for (index, element) in document.elements.enumerated() {
            guard takeInserted(before: element.startTag.lowerBound) else { return false }
            guard next < after.elements.count else { return false }
            let other = after.elements[next]
            next += 1
            guard other.name == element.name, other.prefix == element.prefix,
                other.namespace == element.namespace,
                Self.words(other.text) == Self.words(element.text),
                values(of: other) == changedValues(of: element, index)
            else { return false }
            if let names = inserted[index] {
                pending.append((element.place.upperBound, names))
                pending.sort { $0.end > $1.end }
            }
        }
        return takeInserted(before: .max) && next == after.elements.count
    }

    private func values(of element: XMLDocument.Element) -> [String] {
        element.attributes.map { Self.line($0.prefix, $0.name, $0.value) }
    }

    /// The attributes of an element as they should be; new ones stand behind the old ones.
    private func changedValues(of element: XMLDocument.Element, _ index: Int) -> [String] {
        element.attributes.map { attribute in
            let key = AttributeName(element: index, name: attribute.name)
            let value = attribute.prefix == nil ? expected[key] ?? attribute.value : attribute.value
            return Self.line(attribute.prefix, attribute.name, value)
        } + (added[index] ?? [])
    }

    private static func line(_ prefix: String?, _ name: String, _ value: String) -> String {
        "\(prefix ?? "")\u{0}\(name)\u{0}\(value)"
    }

    /// A text without white space, of which an insertion adds some to what is around it.
    private static func words(_ text: String) -> [UInt8] {
        text.utf8.filter { !isSpace($0) }
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }

    /// Whether a text means the same in XML as it stands.
    private static func isPlain(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0)
                    || (0x61...0x7A).contains($0) || $0 == 0x5F || $0 == 0x2D
            }
    }
}
