/// The members of a JSON object, in the order of their keys' bytes.
///
/// A sorted array, not a dictionary: objects are small, are built once and written once, and must
/// be written in order. By bytes, as the order of texts is no order for some that are not
/// normalized, such as "é%" with one scalar and "é" with two.
public struct JSONObject: Sendable, Hashable {
    fileprivate struct Member: Sendable, Hashable {
        /// The key's first eight bytes: where two keys differ, these nearly always do.
        let head: UInt64
        let key: String
        var value: JSONValue

        init(_ key: String, _ value: JSONValue) {
            self.key = key
            self.value = value
            head = Self.head(key)
        }

        static func head(_ key: String) -> UInt64 {
            let bytes = key.utf8Span.span
            var head: UInt64 = 0
            for at in 0..<Swift.min(8, bytes.count) {
                head |= UInt64(bytes[at]) << UInt64(56 - 8 * at)
            }
            return head
        }

        func precedes(_ head: UInt64, _ key: String) -> Bool {
            if self.head != head { return self.head < head }
            return self.key.utf8Span.span.precedes(key.utf8Span.span)
        }

        func precedes(_ other: Member) -> Bool { precedes(other.head, other.key) }
    }

    private var members: [Member] = []

    /// No members.
    public init() {}

    /// A dictionary's members.
    ///
    /// Sorted once: a file may have hundreds of thousands, which insertion would take minutes for.
    public init(_ dictionary: [String: JSONValue]) {
        members = dictionary.map { Member($0.key, $0.value) }
        members.sort { $0.precedes($1) }
    }

    /// The members without their order.
    public var dictionary: [String: JSONValue] {
        Dictionary(members.map { ($0.key, $0.value) }) { _, last in last }
    }

    /// Where a key is, or belongs.
    private func place(_ key: String, _ head: UInt64) -> (index: Int, isThere: Bool) {
        // Most are written in order.
        guard let last = members.last, !last.precedes(head, key) else {
            return (members.count, false)
        }
        var (low, high) = (0, members.count - 1)
        while low < high {
            let middle = low + (high - low) / 2
            if members[middle].precedes(head, key) { low = middle + 1 } else { high = middle }
        }
        let found = members[low]
        let isThere = found.head == head && found.key.utf8.elementsEqual(key.utf8)
        return (low, isThere)
    }

    /// A member's value; nil for none.
    public subscript(key: String) -> JSONValue? {
        get {
            let (index, isThere) = place(key, Member.head(key))
            return isThere ? members[index].value : nil
        }
        set {
            let (index, isThere) = place(key, Member.head(key))
            switch (isThere, newValue) {
            case (true, .some(let value)): members[index].value = value
            case (true, nil): members.remove(at: index)
            case (false, .some(let value)): members.insert(Member(key, value), at: index)
            case (false, nil): break
            }
        }
    }

    /// The keys in order.
    public var keys: [String] { members.map { $0.key } }

    /// Whether there are no members.
    public var isEmpty: Bool { members.isEmpty }

    /// How many there are.
    public var count: Int { members.count }

    /// The same keys with other values.
    public func mapValues<Failure: Error>(
        _ transform: (JSONValue) throws(Failure) -> JSONValue
    ) throws(Failure) -> JSONObject {
        var result = self
        for index in members.indices {
            result.members[index].value = try transform(members[index].value)
        }
        return result
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    /// Named values; of two with the same name the last counts.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        members.reserveCapacity(elements.count)
        for (key, value) in elements { self[key] = value }
    }
}

extension JSONObject: Sequence {
    /// Goes over the members in order.
    public struct Iterator: IteratorProtocol {
        private var rest: IndexingIterator<[Member]>

        fileprivate init(_ members: [Member]) { rest = members.makeIterator() }

        /// The next member; nil at the end.
        public mutating func next() -> (key: String, value: JSONValue)? {
            rest.next().map { ($0.key, $0.value) }
        }
    }

    /// The members from the first key on.
    public func makeIterator() -> Iterator { Iterator(members) }
}
