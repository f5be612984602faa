extension YAMLNode {
    /// Reads a stream of documents, YAML or JSON, by Kubernetes' rules.
    ///
    /// The events are libyaml's, the meaning of a scalar is that of `sigs.k8s.io/yaml`. Stricter
    /// than that in one point: a key that stands twice is refused, as the API server does when it
    /// validates fields. Documents without a value are left out.
    ///
    /// - Parameters:
    ///   - bytes: the text in UTF-8, or in UTF-16 with a byte order mark.
    ///   - limits: what is refused as too large.
    public static func documents(
        in bytes: [UInt8],
        limits: YAMLLimits = YAMLLimits()
    ) throws(YAMLError) -> [YAMLNode] {
        let start = YAMLPosition(line: 1, column: 1)
        guard bytes.count <= limits.textBytesMaximum else {
            throw YAMLError(.tooLarge("more than \(limits.textBytesMaximum) bytes"), at: start)
        }
        let isForeign = JSONText.hasForeignLineEnds(bytes)
        let text = isForeign ? JSONText.adapted(bytes) ?? bytes : bytes
        do throws(YAMLError) {
            var reader = YAMLReader(parser: try YAMLParser(text), limits: limits)
            return try reader.documents()
        } catch {
            // JSON has tabs and surrogate pairs where YAML 1.1 has none.
            guard case .malformed = error.problem, let adapted = JSONText.adapted(bytes) else {
                throw error
            }
            var reader = YAMLReader(parser: try YAMLParser(adapted), limits: limits)
            return try reader.documents()
        }
    }
}

/// Builds values from events.
private struct YAMLReader {
    let parser: YAMLParser
    let limits: YAMLLimits
    var valuesLeft: Int
    var depthLeft: Int
    var anchors: [String: Built] = [:]

    /// A value, how many values it stands for when every alias is written out, and how many lists
    /// and maps it holds within each other.
    struct Built {
        var node: YAMLNode
        var count: Int
        var depth: Int
    }

    init(parser: YAMLParser, limits: YAMLLimits) {
        self.parser = parser
        self.limits = limits
        valuesLeft = limits.valuesMaximum
        depthLeft = limits.depthMaximum
    }

    mutating func documents() throws(YAMLError) -> [YAMLNode] {
        var found: [YAMLNode] = []
        var count = 0
        while true {
            let event = try parser.next()
            switch event.kind {
            case .documentStart:
                count += 1
                guard count <= limits.documentsMaximum else {
                    throw YAMLError(
                        .tooLarge("more than \(limits.documentsMaximum) documents"),
                        at: event.position
                    )
                }
                anchors = [:]
                let node = try value(from: try parser.next()).node
                if node.value != .null { found.append(node) }
            case .streamEnd:
                return found
            default:
                continue
            }
        }
    }

    private mutating func value(from event: YAMLEvent) throws(YAMLError) -> Built {
        if case .alias(let name) = event.kind {
            guard let built = anchors[name] else {
                throw YAMLError(.unknownAlias(name), at: event.position)
            }
            try take(built.count, at: event.position)
            guard built.depth <= depthLeft else { throw tooDeep(at: event.position) }
            return built
        }
        try take(1, at: event.position)
        let built: Built
        let anchor: String?
        switch event.kind {
        case .scalar(let text, let isPlain, let properties):
            let value = try Self.scalar(text, isPlain: isPlain, properties, at: event.position)
            built = Built(node: YAMLNode(value, at: event.position), count: 1, depth: 0)
            anchor = properties.anchor
        case .listStart(let properties):
            try Self.check(properties.tag, against: ["tag:yaml.org,2002:seq"], at: event.position)
            built = try nested(event) { reader, event throws(YAMLError) in
                try reader.list(at: event.position)
            }
            anchor = properties.anchor
        case .mapStart(let properties):
            try Self.check(properties.tag, against: ["tag:yaml.org,2002:map"], at: event.position)
            built = try nested(event) { reader, event throws(YAMLError) in
                try reader.map(at: event.position)
            }
            anchor = properties.anchor
        default:
            throw YAMLError(.malformed("a value is missing"), at: event.position)
        }
        if let anchor { anchors[anchor] = built }
        return built
    }

    /// Counts values against the limit before they are made.
    private mutating func take(_ count: Int, at position: YAMLPosition) throws(YAMLError) {
        guard count <= valuesLeft else {
            throw YAMLError(
                .tooLarge("more than \(limits.valuesMaximum) values, aliases written out"),
                at: position
            )
        }
        valuesLeft -= count
    }

    private mutating func nested(
        _ event: YAMLEvent,
        _ build: (inout YAMLReader, YAMLEvent) throws(YAMLError) -> Built
    ) throws(YAMLError) -> Built {
        guard depthLeft > 0 else { throw tooDeep(at: event.position) }
        depthLeft -= 1
        defer { depthLeft += 1 }
        return try build(&self, event)
    }

    private func tooDeep(at position: YAMLPosition) -> YAMLError {
        YAMLError(
            .tooLarge("more than \(limits.depthMaximum) lists and maps within each other"),
            at: position
        )
    }

    private mutating func list(at position: YAMLPosition) throws(YAMLError) -> Built {
        var items: [YAMLNode] = []
        var count = 1
        var depth = 0
        while true {
            let event = try parser.next()
            if case .listEnd = event.kind {
                let node = YAMLNode(.list(items), at: position)
                return Built(node: node, count: count, depth: depth + 1)
            }
            let item = try value(from: event)
            items.append(item.node)
            count += item.count
            depth = max(depth, item.depth)
        }
    }

    private mutating func map(at position: YAMLPosition) throws(YAMLError) -> Built {
        var map = MapBuilder()
        var count = 1
        var depth = 0
        while true {
            let event = try parser.next()
            if case .mapEnd = event.kind {
                let node = YAMLNode(.map(map.members), at: position)
                return Built(node: node, count: count, depth: depth + 1)
            }
            let isMerge =
                if case .scalar("<<", isPlain: true, _) = event.kind { true } else { false }
            let key = try value(from: event)
            let member = try value(from: try parser.next())
            count += key.count + member.count
            depth = max(depth, member.depth)
            if isMerge {
                try map.merge(member.node)
            } else {
                let name = try Self.name(key.node)
                try map.append(YAMLMember(name, member.node, at: event.position))
            }
        }
    }

    /// The text of a key, as `sigs.k8s.io/yaml` makes it for JSON.
    private static func name(_ key: YAMLNode) throws(YAMLError) -> String {
        switch key.value {
        case .string(let text): text
        case .integer(let number): String(number)
        case .bool(let flag): flag ? "true" : "false"
        default: throw YAMLError(.unsupportedKey, at: key.position)
        }
    }

    private static func check(
        _ tag: String?,
        against known: [String],
        at position: YAMLPosition
    ) throws(YAMLError) {
        guard let tag, tag != "!", !known.contains(tag) else { return }
        throw YAMLError(.unsupportedTag(tag), at: position)
    }

    private static func scalar(
        _ text: String,
        isPlain: Bool,
        _ properties: YAMLProperties,
        at position: YAMLPosition
    ) throws(YAMLError) -> YAMLValue {
        let prefix = "tag:yaml.org,2002:"
        switch properties.tag {
        case nil where !isPlain, "!", prefix + "str": return .string(text)
        case nil:
            guard let value = YAMLScalar.resolve(text) else {
                throw YAMLError(.notFinite, at: position)
            }
            return value
        case prefix + "null", prefix + "bool", prefix + "int", prefix + "float":
            guard let tag = properties.tag, let value = YAMLScalar.resolve(text) else {
                throw YAMLError(.notFinite, at: position)
            }
            switch (tag.dropFirst(prefix.count), value) {
            case ("null", .null), ("bool", .bool), ("int", .integer), ("float", .decimal),
                ("float", .integer):
                return value
            default:
                throw YAMLError(.unsupportedTag("!!" + tag.dropFirst(prefix.count)), at: position)
            }
        case .some(let tag):
            throw YAMLError(.unsupportedTag(tag), at: position)
        }
    }
}

/// The members of a map while it is read: no key is written twice.
///
/// A merged map is put in where its `<<` stands, as `go.yaml.in/yaml/v2` does it, and not as YAML's
/// own rule has it: it changes what stands before, and what stands behind changes it.
private struct MapBuilder {
    private(set) var members: [YAMLMember] = []
    private var indices: [String: Int] = [:]
    private var written: Set<String> = []

    mutating func append(_ member: YAMLMember) throws(YAMLError) {
        guard written.insert(member.key).inserted else {
            throw YAMLError(.duplicateKey(member.key), at: member.position)
        }
        set(member)
    }

    mutating func merge(_ node: YAMLNode) throws(YAMLError) {
        switch node.value {
        case .map(let found):
            found.forEach { set($0) }
        case .list(let nodes):
            for node in nodes {
                guard case .map = node.value else {
                    throw YAMLError(.invalidMerge, at: node.position)
                }
            }
            // The first of several maps counts, so it is put in last.
            for node in nodes.reversed() { try merge(node) }
        default:
            throw YAMLError(.invalidMerge, at: node.position)
        }
    }

    private mutating func set(_ member: YAMLMember) {
        if let index = indices[member.key] {
            members[index] = member
        } else {
            indices[member.key] = members.count
            members.append(member)
        }
    }
}
