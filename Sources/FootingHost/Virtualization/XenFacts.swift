internal import FootingSystem

/// What the kernel itself tells of Xen: `/sys/hypervisor` and xenfs.
struct XenFacts: Sendable {
    /// Bits of `/sys/hypervisor/properties/features` (Xen's `public/features.h`).
    private enum Feature {
        static let supervisorModeKernel: UInt64 = 1 << 3
        static let keepsPageTables: UInt64 = 1 << 5
        static let callbackVector: UInt64 = 1 << 8
        static let domain0: UInt64 = 1 << 11
    }

    let mode: XenMode?
    let version: String?
    let evidence: [Evidence]
    /// That of the evidence which decided: for domain 0 what says that it is.
    let deciding: Evidence
    /// The control domain according to one file and not to the other.
    let conflict: Conflict?

    private static let featuresPath = "sys/hypervisor/properties/features"
    private static let capabilitiesPath = "proc/xen/capabilities"
    private static let storePath = "proc/xen/xsd_port"

    /// Nil if neither source shows Xen.
    init?(_ root: HostRoot) {
        let type = root.fact("sys/hypervisor/type").value
        let hasFileSystem = root.exists("proc/xen")
        guard type == "xen" || hasFileSystem else { return nil }
        var evidence: [Evidence] = []
        if let type {
            evidence.append(
                Evidence(source: "sys/hypervisor/type", value: type, says: "the kernel runs on Xen")
            )
        }
        let features = root.fact(Self.featuresPath).value.flatMap { hexadecimal($0) }
        let capabilities = hasFileSystem ? root.fact(Self.capabilitiesPath).value : nil
        let guestType = root.fact("sys/hypervisor/guest_type").value
        if hasFileSystem {
            evidence.append(
                Evidence(
                    source: capabilities == nil ? "proc/xen" : Self.capabilitiesPath,
                    value: capabilities ?? "",
                    says: capabilities?.holds("control_d") == true
                        ? "this domain controls the others" : "xenfs is there: a Xen domain"
                )
            )
        }
        if let features {
            evidence.append(
                Evidence(
                    source: Self.featuresPath,
                    value: hexadecimalText(features),
                    says: features & Feature.domain0 != 0
                        ? "bit 11: this is domain 0" : "bit 11 is clear: not domain 0"
                )
            )
        }
        if let guestType {
            evidence.append(
                Evidence(
                    source: "sys/hypervisor/guest_type",
                    value: guestType,
                    says: "how the kernel was started by Xen"
                )
            )
        }
        var control = evidence.first { $0.source == Self.capabilitiesPath }
        var hasControl = capabilities?.holds("control_d") == true
        // xenfs has this file in the control domain only; old kernels leave the other empty.
        if !hasControl, hasFileSystem, features == nil, root.exists(Self.storePath) {
            let says = "only the domain that controls the others has the store's port"
            let port = Evidence(source: Self.storePath, value: "", says: says)
            evidence.append(port)
            control = port
            hasControl = true
        }
        mode = Self.mode(features: features, hasControl: hasControl, guestType: guestType)
        conflict = Self.conflict(features, capabilities, evidence)
        version = Self.version(root)
        self.evidence = evidence
        let word = evidence.first { $0.source == Self.featuresPath } ?? control
        deciding =
            (mode == .dom0 ? word : nil) ?? evidence.first
            ?? Evidence(source: "proc/xen", value: "", says: "Xen")
    }

    private static func mode(
        features: UInt64?,
        hasControl: Bool,
        guestType: String?
    ) -> XenMode? {
        // The features are the hypervisor's word; xenfs is a file system that can be missing.
        let isDomain0 = features.map { $0 & Feature.domain0 != 0 } ?? hasControl
        if isDomain0 { return .dom0 }
        switch guestType {
        case "PV": return .pv
        case "HVM": return .hvm
        case "PVH": return .pvh
        default: break
        }
        // Kernels before 4.13 have no guest_type; these are the bits that lscpu judges by.
        guard let features else { return nil }
        let hardware = Feature.supervisorModeKernel | Feature.callbackVector
        if features & hardware == hardware { return .pvh }
        return features & Feature.keepsPageTables != 0 ? .pv : .hvm
    }

    private static func conflict(
        _ features: UInt64?,
        _ capabilities: String?,
        _ evidence: [Evidence]
    ) -> Conflict? {
        guard let features, let capabilities,
            let bit = evidence.first(where: { $0.source.hasSuffix("/features") }),
            let word = evidence.first(where: { $0.source.hasSuffix("/capabilities") }),
            (features & Feature.domain0 != 0) != capabilities.holds("control_d")
        else { return nil }
        return Conflict(
            about: "xenMode",
            believed: bit,
            rejected: word,
            reason: "the features are the hypervisor's own word; xenfs is a file system"
        )
    }

    private static func version(_ root: HostRoot) -> String? {
        guard let major = root.fact("sys/hypervisor/version/major").value,
            let minor = root.fact("sys/hypervisor/version/minor").value
        else { return nil }
        return "\(major).\(minor)\(root.fact("sys/hypervisor/version/extra").value ?? "")"
    }
}
