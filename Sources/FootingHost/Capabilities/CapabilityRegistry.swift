public import FootingSystem

/// Something this machine can do, or cannot, with what that rests on.
public struct Capability: Sendable, Equatable {
    /// Whether it is there.
    public enum State: Sendable, Equatable {
        /// Proved by what was observed.
        case present([Evidence])
        /// Looked for and not found, or not proved; with the reason.
        case absent(String)
    }

    /// Its name, from the general to the special, as `virtio.block`.
    public let name: String
    /// Whether it is there, and why.
    public let state: State

    /// Whether it is there.
    public var isPresent: Bool {
        if case .present = state { return true }
        return false
    }
}

/// What this machine can do, by name: registered by whoever proved it.
///
/// A value: a copy does not change, and ``changes(since:)`` compares two. Nothing is concluded from
/// a hypervisor's name; a name that nobody registered is absent.
public struct CapabilityRegistry: Sendable, Equatable {
    private var states: [String: Capability.State] = [:]

    /// An empty registry, in which everything is absent.
    public init() {}

    /// Whether something was proved to be there.
    public func has(_ name: String) -> Bool {
        self[name].isPresent
    }

    /// A capability by name; absent if nobody knows the name.
    public subscript(name: String) -> Capability {
        Capability(name: name, state: states[name] ?? .absent("no detector knows this name"))
    }

    /// All that were looked for, by name.
    public var all: [Capability] {
        states.sorted { $0.key < $1.key }.map { Capability(name: $0.key, state: $0.value) }
    }

    /// Whether a detector looks for this name at all.
    public func knows(_ name: String) -> Bool {
        states[name] != nil
    }

    /// Registers what was proved; further evidence for the same name is added.
    ///
    /// - Parameter evidence: at least one observation.
    public mutating func register(_ name: String, _ evidence: [Evidence]) {
        precondition(!evidence.isEmpty, "\(name) is registered without evidence")
        if case .present(let earlier)? = states[name] {
            states[name] = .present(earlier + evidence.filter { !earlier.contains($0) })
        } else {
            states[name] = .present(evidence)
        }
    }

    /// Notes why something was not found; what another detector proved stays.
    public mutating func note(absent name: String, because reason: String) {
        if case .present? = states[name] { return }
        states[name] = .absent(reason)
    }

    /// Takes back what no longer holds, as after a device was removed.
    public mutating func withdraw(_ name: String, because reason: String) {
        states[name] = .absent(reason)
    }

    /// Registers evidence, or notes the reason where there is none.
    mutating func settle(_ name: String, _ evidence: [Evidence], otherwise reason: String) {
        if evidence.isEmpty {
            note(absent: name, because: reason)
        } else {
            register(name, evidence)
        }
    }
}

/// What became of a capability between two looks.
public struct CapabilityChange: Sendable, Equatable {
    /// What happened.
    public enum Kind: String, Sendable {
        /// It is there now.
        case appeared
        /// It is no longer there.
        case disappeared
        /// It is there as before, but rests on something else; or is absent for another reason.
        case restated
    }

    /// What happened.
    public let kind: Kind
    /// The capability as it is now.
    public let capability: Capability
}

extension CapabilityRegistry {
    /// What is different from an earlier registry, by name.
    public func changes(since earlier: CapabilityRegistry) -> [CapabilityChange] {
        Set(states.keys).union(earlier.states.keys).sorted().compactMap { name in
            let now = self[name]
            let before = earlier[name]
            guard now != before else { return nil }
            let kind: CapabilityChange.Kind =
                switch (before.isPresent, now.isPresent) {
                case (false, true): .appeared
                case (true, false): .disappeared
                default: .restated
                }
            return CapabilityChange(kind: kind, capability: now)
        }
    }
}

extension Capability {
    /// `{"name", "isPresent", "evidence", "reason"}`; the reason is null for what is there.
    public var json: JSONValue {
        switch state {
        case .present(let evidence):
            [
                "name": .string(name), "isPresent": true, "reason": .null,
                "evidence": .array(evidence.map(\.json)),
            ]
        case .absent(let reason):
            ["name": .string(name), "isPresent": false, "reason": .string(reason), "evidence": []]
        }
    }
}
