public import FootingDeployment
internal import FootingHost

extension TuningProfile {
    /// The built-in profile for a place.
    public static func choose(_ detection: Detection) -> TuningProfile {
        let name: String
        switch detection.context.kind {
        case .edge:
            let compatible = detection.report.hardware.machine.compatible
            let isRaspberryPi = compatible.contains { $0.hasPrefix("raspberrypi,") }
            name = isRaspberryPi ? "edge-raspberry-pi" : "edge-generic"
        case .hyperscaleCloud, .bareMetalNVMe, .hypervisor, .hostedVM, .bareMetal:
            name = detection.context.kind.rawValue
        }
        guard let profile = BuiltInProfiles.named(name) else {
            preconditionFailure("no built-in profile \(name)")
        }
        return profile
    }

    /// What the disk engine does with this profile: `auto` stays as the place would have it.
    public func deployment(at place: DeploymentProfile) -> DeploymentProfile {
        let reason = "the profile \(name)"
        var result = place.renamed(name)
        let numbers: [(String, String, UInt64)] = [
            ("gather-threshold", "gatherThresholdMicroseconds", 1),
            ("unflushed-bytes", "unflushedBytesMaximum", 1),
            ("unflushed-age", "unflushedMillisecondsMaximum", 1000),
            ("memory-budget", "memoryBudgetBytes", 1),
            ("read-workers", "readWorkers", 1),
            ("checkpoint-log", "checkpointLogBytes", 1),
        ]
        for (field, value, divisor) in numbers {
            guard let number = self[field].number else { continue }
            result = result.replacing(value, by: number / divisor, reason: reason)
        }
        return result
    }
}
