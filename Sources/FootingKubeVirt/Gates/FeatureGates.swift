/// Which gates a cluster has turned on, by KubeVirt's own precedence.
public struct FeatureGates: Sendable, Hashable {
    /// Whether a gate is on, and which rule says so.
    public struct Verdict: Sendable, Hashable {
        /// The rules in their order: the first that applies decides.
        public enum Rule: String, Sendable, Hashable, CaseIterable {
            /// No such gate: off.
            case unknown
            /// Generally available: on, whatever is listed.
            case generalAvailability
            /// In `developerConfiguration.featureGates`: on.
            case listed
            /// In `developerConfiguration.disabledFeatureGates`: off.
            case disabled
            /// Beta: on.
            case beta
            /// Anything else: off.
            case byDefault
        }

        /// Whether it is on.
        public let isOn: Bool
        /// The rule that decided.
        public let rule: Rule

        /// In words, for people and logs.
        public var explanation: String {
            switch rule {
            case .unknown: "off: no such gate"
            case .generalAvailability: "on: generally available"
            case .listed: "on: listed in featureGates"
            case .disabled: "off: listed in disabledFeatureGates"
            case .beta: "on: beta"
            case .byDefault: "off by default"
            }
        }
    }

    /// `spec.configuration.developerConfiguration.featureGates`.
    public let listed: [String]
    /// `spec.configuration.developerConfiguration.disabledFeatureGates`.
    public let disabled: [String]

    /// Two lists of names; those that no gate has are kept, and have no effect.
    public init(listed: [String] = [], disabled: [String] = []) {
        self.listed = listed
        self.disabled = disabled
    }

    /// The state of a gate by its name.
    public func verdict(_ name: String) -> Verdict { verdict(name, FeatureGate.named(name)?.stage) }

    /// Whether a gate is on.
    public func isOn(_ gate: FeatureGate) -> Bool { verdict(gate.name, gate.stage).isOn }

    /// KubeVirt's `IsEnabled` (`pkg/virt-config/featuregate/feature-gates.go`).
    func verdict(_ name: String, _ stage: FeatureGate.Stage?) -> Verdict {
        guard let stage else { return Verdict(isOn: false, rule: .unknown) }
        if stage == .generalAvailability { return Verdict(isOn: true, rule: .generalAvailability) }
        if listed.contains(name) { return Verdict(isOn: true, rule: .listed) }
        if disabled.contains(name) { return Verdict(isOn: false, rule: .disabled) }
        if stage == .beta { return Verdict(isOn: true, rule: .beta) }
        return Verdict(isOn: false, rule: .byDefault)
    }
}
