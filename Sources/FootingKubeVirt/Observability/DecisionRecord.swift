public import FootingSystem

/// A decision of the hook, as one line of JSON: for logs, and what the condition and the metric are
/// made of.
public struct DecisionRecord: Sendable, Hashable {
    /// A change to a domain.
    public struct Change: Sendable, Hashable {
        /// What was changed, such as `domain type kvm → hyperv`.
        public let what: String
        /// Why.
        public let why: String

        /// A change with its reason.
        public init(_ what: String, why: String) {
            self.what = what
            self.why = why
        }
    }

    /// What marks such a line.
    public static let schema = "footing.kubevirt-decision/1"

    /// Seconds since 1970.
    public var unixSeconds: UInt64
    /// The virtual machine's namespace.
    public var namespace: String
    /// The virtual machine's name.
    public var name: String
    /// The node, where the virtual machine's status tells it.
    public var node: String?
    /// The `type` of the domain that was given; empty if that could not be read.
    public var typeBefore: String
    /// The `type` of the domain that was handed back.
    public var typeAfter: String
    /// Why, for machines.
    public var reason: String
    /// Why, in a sentence.
    public var explanation: String
    /// The state of `/dev/mshv`.
    public var device: String
    /// What was changed.
    public var changes: [Change]
    /// What stands in the way.
    public var findings: [Finding]

    /// `namespace/name` of the virtual machine.
    public var fullName: String { "\(namespace)/\(name)" }

    /// The record as a JSON object.
    public var json: JSONValue {
        [
            "schema": .string(Self.schema),
            "time": .string(Timestamp.text(unixSeconds: unixSeconds)),
            "vmi": ["namespace": .string(namespace), "name": .string(name)],
            "node": node.map { .string($0) } ?? .null,
            "domainType": ["before": .string(typeBefore), "after": .string(typeAfter)],
            "hypervisor": .string(hypervisor),
            "reason": .string(reason),
            "explanation": .string(explanation),
            "device": .string(device),
            "changes": .array(
                changes.map { ["what": .string($0.what), "why": .string($0.why)] }
            ),
            "findings": .array(findings.map(\.json)),
        ]
    }

    /// The record in one line of at most ``lineBytesMaximum`` bytes.
    ///
    /// What is in a manifest can be long, container runtimes cut lines of 16 KiB in pieces, and
    /// KubeVirt's shim quotes this one in one of its own.
    public var line: String {
        let line = json.line()
        if line.utf8.count <= Self.lineBytesMaximum { return line }
        var short = self
        for field in [\DecisionRecord.namespace, \.name, \.typeBefore, \.typeAfter] {
            short[keyPath: field] = Self.cut(short[keyPath: field])
        }
        short.node = node.map { Self.cut($0) }
        short.explanation = Self.cut(explanation)
        short.changes = changes.prefix(8).map { Change(Self.cut($0.what), why: Self.cut($0.why)) }
        short.findings = findings.prefix(8).map {
            Finding($0.code, Self.cut($0.text), remedy: $0.remedy)
        }
        let left = changes.count + findings.count - short.changes.count - short.findings.count
        if left > 0 { short.findings.append(Finding(.trouble, "\(left) more are left out here")) }
        return short.json.line()
    }

    /// The longest line in bytes.
    public static let lineBytesMaximum = 8 << 10

    /// The beginning of a text, without control characters, of which JSON makes six bytes each.
    private static func cut(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        var count = 0
        for scalar in text.unicodeScalars {
            count += UTF8.width(scalar)
            if count > 100 { return String(result) + "…" }
            result.append(scalar.value < 0x20 ? "." : scalar)
        }
        return String(result)
    }

    /// The hypervisor's name in the metric: `mshv`, `kvm`, `qemu` or `unknown`.
    public var hypervisor: String {
        Selection.Hypervisor(domainType: typeAfter)?.rawValue ?? "unknown"
    }

    /// Reads a line back, also from the `msg` of a line of KubeVirt's shim; nil for any other line
    /// of a log.
    public init?(line: String) {
        guard let value = Self.value(line) else { return nil }
        if let record = DecisionRecord(value) {
            self = record
        } else if let message = value.member("msg")?.stringValue,
            let record = Self.value(message).flatMap({ DecisionRecord($0) })
        {
            self = record
        } else {
            return nil
        }
    }

    private static func value(_ line: String) -> JSONValue? {
        try? JSONValue(parsing: Array(line.utf8), bytesMaximum: 1 << 20)
    }

    private init?(_ value: JSONValue) {
        guard value.member("schema")?.stringValue == Self.schema,
            let time = value.member("time")?.stringValue.flatMap(Timestamp.unixSeconds),
            let name = value.member("vmi")?.member("name")?.stringValue,
            let after = value.member("domainType")?.member("after")?.stringValue
        else { return nil }
        unixSeconds = time
        self.name = name
        namespace = value.member("vmi")?.member("namespace")?.stringValue ?? ""
        node = value.member("node")?.stringValue
        typeBefore = value.member("domainType")?.member("before")?.stringValue ?? ""
        typeAfter = after
        reason = value.member("reason")?.stringValue ?? ""
        explanation = value.member("explanation")?.stringValue ?? ""
        device = value.member("device")?.stringValue ?? ""
        changes = []
        findings = []
    }

    /// A record of its parts.
    public init(
        unixSeconds: UInt64,
        machine: VirtualMachineFacts?,
        typeBefore: String,
        typeAfter: String,
        reason: String,
        explanation: String,
        device: String,
        changes: [Change] = [],
        findings: [Finding] = []
    ) {
        self.unixSeconds = unixSeconds
        namespace = machine?.namespace ?? ""
        name = machine?.name ?? ""
        node = machine?.node
        self.typeBefore = typeBefore
        self.typeAfter = typeAfter
        self.reason = reason
        self.explanation = explanation
        self.device = device
        self.changes = changes
        self.findings = findings
    }
}

extension Finding {
    /// The finding as a JSON object.
    public var json: JSONValue {
        [
            "code": .string(code.rawValue), "text": .string(text),
            "remedy": remedy.map { .string($0) } ?? .null,
        ]
    }
}
