internal import FootingHost

/// A rule: where it holds, it asks for something to be different.
struct TuningRule: Sendable {
    /// What a rule asks for, before it is known whether anybody wants it.
    struct Proposal {
        var target: TuningChange.Target
        var present: String?
        var proposed: String
        var reason: String
        var evidence: [Evidence]
        var source: String
        var effect: String
        var risk = TuningChange.Risk.none
        var undo = "'footing rollback' writes the present value back"
    }

    /// Its name in profiles.
    let name: String
    /// What it asks for on a machine.
    let propose: @Sendable (PlanGround) -> [Proposal]

    /// Every rule.
    ///
    /// Those that change a scheduler come before those that change what a new
    /// scheduler sets anew.
    static let all: [TuningRule] =
        schedulerRules + queueRules + machineRules + bootRules + pathRules

    /// What the measurements on the development machine showed of queues.
    static let noise = "docs/tuning.md#measurements"

    /// A rule for one attribute of each disk's queue.
    ///
    /// - Parameter value: what the attribute should be, why, and what says so; nil where the rule
    ///   does not hold.
    static func queue(
        _ name: String,
        _ attribute: QueueAttribute,
        source: String,
        effect: String,
        value:
            @escaping @Sendable (PlanDevice, PlanGround) -> (
                value: String, reason: String, evidence: [Evidence]
            )?
    ) -> TuningRule {
        TuningRule(name: name) { ground in
            ground.devices.compactMap { device in
                // What is not there cannot be changed, and what is right stays.
                guard let present = device.queue[attribute],
                    let wanted = value(device, ground), wanted.value != present
                else { return nil }
                return Proposal(
                    target: .queue(device: device.name, attribute: attribute),
                    present: present,
                    proposed: wanted.value,
                    reason: wanted.reason,
                    evidence: wanted.evidence,
                    source: source,
                    effect: effect
                )
            }
        }
    }
}
