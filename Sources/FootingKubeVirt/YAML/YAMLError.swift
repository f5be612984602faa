/// Why a text is not YAML that Kubernetes would read, and where.
public struct YAMLError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, in kinds that callers can tell apart.
    public enum Problem: Hashable, Sendable {
        /// libyaml refuses the text; its own words.
        case malformed(String)
        /// The text, its depth or its number of values is beyond what is allowed.
        case tooLarge(String)
        /// A key that the map has already.
        case duplicateKey(String)
        /// A key that Kubernetes cannot turn into a text.
        case unsupportedKey
        /// An alias without its anchor, or within it.
        case unknownAlias(String)
        /// A tag that Kubernetes' values do not have, or that its value contradicts.
        case unsupportedTag(String)
        /// A `<<` with something that is no map.
        case invalidMerge
        /// Infinity, or no number at all.
        case notFinite
        /// Memory was refused.
        case outOfMemory
    }

    /// What is wrong.
    public let problem: Problem
    /// Where.
    public let position: YAMLPosition

    /// A problem at a place.
    public init(_ problem: Problem, at position: YAMLPosition) {
        self.problem = problem
        self.position = position
    }

    /// The place and what is wrong there.
    public var description: String { "\(position): \(text)" }

    private var text: String {
        switch problem {
        case .malformed(let words): words
        case .tooLarge(let what): what
        case .duplicateKey(let key): "the key “\(key)” stands twice"
        case .unsupportedKey: "a key must be a text, a number, true or false"
        case .unknownAlias(let name): "no anchor “\(name)” before this alias"
        case .unsupportedTag(let tag): "the tag \(tag) does not fit here"
        case .invalidMerge: "<< takes a map, or a list of maps"
        case .notFinite: "not a finite number; a text needs quotes"
        case .outOfMemory: "no memory for this document"
        }
    }
}

/// How much a text may hold.
///
/// Kubernetes itself takes objects of 1.5 MiB (etcd) and requests of 3 MiB.
public struct YAMLLimits: Sendable, Hashable {
    /// The longest text in bytes.
    public var textBytesMaximum = 4 << 20
    /// Lists and maps within each other.
    public var depthMaximum = 64
    /// Values in all documents together, each alias counted with all that it stands for.
    public var valuesMaximum = 250_000
    /// Documents in one stream, empty ones included.
    public var documentsMaximum = 1000

    /// The limits that are used where none are given.
    public init() {}
}
