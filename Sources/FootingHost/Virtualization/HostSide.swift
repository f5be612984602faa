internal import FootingSystem

/// What this system can run virtual machines with.
enum HostSide {
    /// Character devices of hypervisors' host sides: one line for each.
    ///
    /// The device's node, its name among the miscellaneous devices (`/proc/misc`), and the report's
    /// name. In a container the node is often missing while the list still tells.
    static let devices: [(node: String, miscellaneous: String, name: String)] = [
        ("dev/kvm", "kvm", "kvm"),
        ("dev/mshv", "mshv", "mshv"),
        ("dev/vboxdrv", "vboxdrv", "virtualbox"),
        ("dev/vmmon", "vmmon", "vmware"),
        ("dev/acrn_hsm", "acrn_hsm", "acrn"),
        ("dev/gunyah", "gunyah", "gunyah"),
        ("dev/jailhouse", "jailhouse", "jailhouse"),
        ("dev/nitro_enclaves", "nitro_enclaves", "nitro-enclaves"),
    ]

    /// Those that are there, with what was seen.
    static func find(_ root: HostRoot) -> [ContainerDetector.Claim] {
        let path = "proc/misc"
        let text = try? root.beginning(path)
        // `232 kvm`: the second word is the name.
        let names = text.map(lines)?.compactMap { pieces($0, separator: " ").last }
        return devices.compactMap { line in
            let isListed = names?.contains(line.miscellaneous) == true
            // The list has every one of them on a live machine; a recording may have only nodes.
            if isListed || !root.isLive || names == nil, root.exists(line.node) {
                let says = "virtual machines can be run here"
                return .init(
                    name: line.name,
                    evidence: Evidence(source: line.node, value: "", says: says)
                )
            }
            let says = "the kernel can run virtual machines; the device's node is not there"
            if isListed {
                return .init(
                    name: line.name,
                    evidence: Evidence(source: path, value: line.miscellaneous, says: says)
                )
            }
            let device = "sys/devices/virtual/misc/\(line.miscellaneous)"
            guard !root.isLive, names == nil, root.exists(device) else { return nil }
            return .init(name: line.name, evidence: Evidence(source: device, value: "", says: says))
        }
    }
}
