/// The members of a JSON object, in the order of their keys' bytes.
///
/// A sorted array, not a dictionary: objects are small, are built once and written once, and must be
/// written in order. By bytes, as the order of texts is no order for some that are not normalized,
/// such as "é%" with one scalar and "é" with two.
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
    }

    private var members: [Member] = []

    /// No members.
    public init() {}

    /// A dictionary's members.
    public init(_ dictionary: [String: JSONValue]) {
        members.reserveCapacity(dictionary.count)
        for (key, value) in dictionary { self[key] = value }
    }

    /// The members without their order.
    public var dictionary: [String: JSONValue] {
        Dictionary(members.map { ($0.key, $0.value) }) { _, last in last }
    }

    /// Where a key is, or belongs.
    private func place(_ key: String, _ head: UInt64) -> (index: Int, isThere: Bool) {
        var index = members.count
        while index > 0 {
            let before = members[index - 1]
            if before.head < head { return (index, false) }
            if before.head == head {
                let bytes = key.utf8Span.span
                if before.key.utf8Span.span.precedes(bytes) { return (index, false) }
                if !bytes.precedes(before.key.utf8Span.span) { return (index - 1, true) }
            }
            index -= 1
        }
        return (0, false)
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

    /// Adds another object's members; where both have a key, the other's value counts.
    public mutating func merge(_ other: JSONObject) {
        members.reserveCapacity(members.count + other.count)
        for member in other.members { self[member.key] = member.value }
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
