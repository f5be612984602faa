/// What the Microsoft hypervisor under QEMU and libvirt cannot do for a virtual machine.
///
/// From QEMU 10.2's `accel/mshv` and libvirt 11.10's domain capabilities for it.
public enum Preflight {
    /// `vp_index` in QEMU's accelerator is a byte.
    public static let processorsMaximum = 255

    /// The enlightenments that libvirt's capabilities name for this type of domain.
    static let enlightenments: Set<String> = ["spinlocks", "vendorid"]

    /// A version such as 11.10.0, as far as its numbers go.
    public struct Version: Sendable, Hashable, Comparable, CustomStringConvertible {
        /// Major, minor, release.
        let numbers: [Int]

        /// The first numbers of a text such as `11.10.0-12.el9`; nil if it does not begin with two.
        public init?(_ text: String) {
            let words = text.split(separator: "-", omittingEmptySubsequences: false)[0]
            let numbers = words.split(separator: ".", omittingEmptySubsequences: false)
                .prefix(3).map { Int($0) }
            guard numbers.count >= 2, numbers.allSatisfy({ $0.map { $0 >= 0 } == true }) else {
                return nil
            }
            self.numbers = numbers.compactMap { $0 }
        }

        init(_ numbers: Int...) { self.numbers = numbers }

        /// By the first number that differs.
        public static func < (left: Version, right: Version) -> Bool {
            left.numbers.lexicographicallyPrecedes(right.numbers)
        }

        /// With points between.
        public var description: String { numbers.map { "\($0)" }.joined(separator: ".") }
    }

    /// What a manifest shows.
    ///
    /// - Parameters:
    ///   - machine: the manifest.
    ///   - isAssigned: whether the pod gets the device in any case.
    ///   - defaults: the cluster whose defaults KubeVirt will fill in; nil for a manifest that it
    ///     has filled in already, as that which a hook gets.
    public static func findings(
        for machine: VirtualMachineFacts,
        isAssigned: Bool,
        defaults: ClusterConfiguration? = nil
    ) -> [Finding] {
        var findings: [Finding] = []
        if let architecture = machine.architecture ?? defaults?.architecture,
            architecture != "amd64"
        {
            findings.append(
                Finding(.architecture, "it is for \(architecture); only x86-64 runs there")
            )
        }
        findings += machine.launchSecurity.map {
            Finding(.confidential, "launchSecurity.\($0): its partitions are not isolated")
        }
        findings += processors(
            defaults.map { machine.processorsMaximum(filledIn: $0) } ?? machine.processorsMaximum
        )
        let strategy = machine.evictionStrategy ?? defaults?.evictionStrategy
        if let strategy, strategy.hasPrefix("LiveMigrate") {
            findings.append(
                Finding(
                    .migration,
                    "evictionStrategy \(strategy): it cannot be migrated while it runs",
                    remedy: "use evictionStrategy: None, or External"
                )
            )
        }
        if machine.usesTransitionalVirtio {
            findings.append(
                transitional("useVirtioTransitional: it")
            )
        }
        findings += enlightenments(machine)
        findings += model(machine.processorModel ?? defaults?.processorModel)
        if !machine.requestsDevice, !isAssigned {
            findings.append(
                Finding(
                    .deviceResource,
                    "nothing says that its pod gets /dev/mshv; without it QEMU ends with "
                        + "'Failed to open /dev/mshv'",
                    remedy: "add \(VirtualMachineFacts.deviceResource): \"1\" to its limits"
                )
            )
        }
        return findings
    }

    /// What the versions of an image of virt-launcher show.
    public static func findings(libvirt: Version?, qemu: Version?) -> [Finding] {
        var findings: [Finding] = []
        if let libvirt, libvirt < Version(11, 10) {
            findings.append(
                Finding(
                    .libvirt,
                    "libvirt \(libvirt) has no domains of the type hyperv",
                    remedy: "use 11.10 or later"
                )
            )
        }
        if let qemu, qemu < Version(10, 2) {
            findings.append(
                Finding(
                    .qemu,
                    "QEMU \(qemu) has no accelerator mshv, unless its distributor added it",
                    remedy: "use 10.2, or 10.1 of CentOS Stream, which has it"
                )
            )
        }
        return findings
    }

    /// What a domain shows besides: the processors that it may have, and models of devices.
    static func findings(for domain: XMLDocument) -> [Finding] {
        var findings: [Finding] = []
        if let count = domain.first("vcpu").flatMap({ Int(domain.elements[$0].text) }) {
            findings += processors(count)
        }
        if domain.elements.contains(where: { $0["model"] == "virtio-transitional" }) {
            findings.append(transitional("virtio-transitional: a device"))
        }
        if domain.first("launchSecurity") != nil {
            findings.append(
                Finding(.confidential, "launchSecurity: its partitions are not isolated")
            )
        }
        return findings
    }

    private static func processors(_ count: Int) -> [Finding] {
        count > processorsMaximum
            ? [
                Finding(
                    .processors,
                    "\(count) virtual processors, those to be plugged in included; "
                        + "\(processorsMaximum) at most",
                    remedy: "set cpu.maxSockets, which KubeVirt else makes four times the sockets"
                )
            ] : []
    }

    private static func transitional(_ what: String) -> Finding {
        Finding(
            .transitionalVirtio,
            "\(what) notifies through I/O ports, for which there is no eventfd: slow",
            remedy: "use modern virtio"
        )
    }

    private static func enlightenments(_ machine: VirtualMachineFacts) -> [Finding] {
        var findings: [Finding] = []
        let others = machine.hyperVFeatures.filter { !enlightenments.contains($0) }
        if !others.isEmpty {
            findings.append(
                Finding(
                    .enlightenments,
                    "features.hyperv: \(others.joined(separator: ", ")) are KVM's imitation; "
                        + "the hypervisor shows its own to the guest",
                    remedy: "leave them out"
                )
            )
        }
        if machine.passesHyperVThrough {
            findings.append(
                Finding(
                    .enlightenments,
                    "features.hypervPassthrough is KVM's imitation",
                    remedy: "leave it out"
                )
            )
        }
        return findings
    }

    private static func model(_ model: String?) -> [Finding] {
        if model == "host-passthrough" || model == "maximum" { return [] }
        let name = model ?? "host-model, KubeVirt's default,"
        return [
            Finding(
                .processorModel,
                "the processor model \(name) is not among libvirt's for this type of domain",
                remedy: "use cpu.model: host-passthrough"
            )
        ]
    }
}
