internal import FootingSystem

/// A sign of a cloud elsewhere than in the DMI fields that anybody may read.
///
/// They are looked for only where those fields name no cloud: most are weaker.
struct CloudTrace: Sendable {
    /// Where the sign is.
    enum Place: Sendable, CaseIterable {
        /// DMI's `product_serial`; shown is only the part that is the sign.
        case serial
        /// A path that is there.
        case path
        /// A word of the kernel's command line.
        case commandLine
        /// A file system's label, in any case (`/dev/disk/by-label`).
        case label
        /// The name of a virtio port (`/sys/class/virtio-ports`).
        case port
        /// A variable of process 1, in an LXC container only.
        case initEnvironment
    }

    /// A sign that is there.
    struct Sign {
        let provider: String?
        let evidence: Evidence
    }

    /// What stands at a place.
    private struct Value {
        let source: String
        let text: String
    }

    let place: Place
    let match: CloudVendor.Match
    let text: String
    /// Nil where the sign is of many clouds, and only worth to be told.
    let provider: String?
    /// The sign means something on Xen only.
    let onXen: Bool

    init(
        _ place: Place,
        _ match: CloudVendor.Match,
        _ text: String,
        _ provider: String?,
        onXen: Bool = false
    ) {
        self.place = place
        self.match = match
        self.text = text
        self.provider = provider
        self.onXen = onXen
    }

    /// One line for each sign; the first with a provider counts.
    static let table: [CloudTrace] = [
        .init(.serial, .prefix, "GoogleCloud-", "gcp"),
        .init(.serial, .suffix, ".brightbox.com", "brightbox"),
        .init(.path, .exact, "etc/vultr", "vultr"),
        .init(.path, .exact, "run/scaleway", "scaleway"),
        .init(.path, .exact, "native/.zonecontrol/metadata.sock", "smartos"),
        // The file system of a configuration drive that IBM gives the same number everywhere.
        .init(.path, .exact, "dev/disk/by-uuid/9796-932E", "ibmcloud", onXen: true),
        .init(.path, .exact, "dev/lxd/sock", "lxd"),
        .init(.commandLine, .exact, "scaleway", "scaleway"),
        .init(.commandLine, .exact, "vultr", "vultr"),
        .init(.label, .exact, "METADATA", "ibmcloud", onXen: true),
        .init(.label, .exact, "CLOUDMD", "rbxcloud"),
        .init(.label, .exact, "CONTEXT", "opennebula"),
        .init(.label, .exact, "config-2", nil),
        .init(.label, .exact, "cidata", nil),
        .init(.port, .exact, "com.canonical.lxd", "lxd"),
        .init(.port, .exact, "org.linuxcontainers.lxd", "lxd"),
        .init(.initEnvironment, .exact, "product_name=OpenStack Nova", "openstack"),
    ]

    /// Every sign that is there, in the table's order.
    static func all(
        _ root: HostRoot,
        _ dmi: DMI,
        _ virtualization: HypervisorInfo
    ) -> [Sign] {
        let isXen = virtualization.hypervisor.value == .xen
        var signs: [Sign] = []
        var place: Place?
        var values: [Value] = []
        for trace in table where isXen || !trace.onXen {
            if trace.place == .path {
                if root.exists(trace.text) { signs.append(trace.found(at: trace.text)) }
                continue
            }
            // The lines of one place stand together.
            if trace.place != place {
                place = trace.place
                values = self.values(trace.place, root, dmi, virtualization)
            }
            if let fitting = values.first(where: { trace.fits($0.text) }) {
                signs.append(trace.found(at: fitting.source))
            }
        }
        return signs
    }

    private func fits(_ value: String) -> Bool {
        place == .label ? value.lowercased() == text.lowercased() : match.fits(value, text)
    }

    private func found(at source: String) -> Sign {
        let shown: String =
            switch (place, match) {
            case (.path, _): ""
            case (.serial, .prefix): "\(text)…"
            case (.serial, _): "…\(text)"
            default: text
            }
        let says = provider.map(CloudVendor.says) ?? "a disk with settings, as many clouds have it"
        return Sign(
            provider: provider,
            evidence: Evidence(source: source, value: shown, says: says)
        )
    }

    /// What stands at a place; nothing where it cannot be read.
    private static func values(
        _ place: Place,
        _ root: HostRoot,
        _ dmi: DMI,
        _ virtualization: HypervisorInfo
    ) -> [Value] {
        switch place {
        case .path: return []
        case .serial:
            let name = "product_serial"
            guard let serial = dmi.secret(name, root) else { return [] }
            return [Value(source: "\(dmi.folder ?? "")/\(name)", text: serial)]
        case .commandLine:
            let path = "proc/cmdline"
            return pieces((try? root.beginning(path)) ?? "", separator: " ")
                .map { Value(source: path, text: $0) }
        case .label:
            // A label on hardware is a person's choice.
            guard virtualization.isVirtualMachine.value != false else { return [] }
            let folder = "dev/disk/by-label"
            return root.namesIfPresent(folder).map { Value(source: "\(folder)/\($0)", text: $0) }
        case .port:
            let folder = "sys/class/virtio-ports"
            return root.namesIfPresent(folder).prefix(64).compactMap { name in
                let path = "\(folder)/\(name)/name"
                return root.fact(path).value.map { Value(source: path, text: $0) }
            }
        case .initEnvironment:
            guard virtualization.container == "lxc" else { return [] }
            let path = "proc/1/environ"
            return pieces((try? root.beginning(path)) ?? "", separator: "\0")
                .map { Value(source: path, text: $0) }
        }
    }
}
