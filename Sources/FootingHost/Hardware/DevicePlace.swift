internal import FootingSystem

/// Where a block device hangs: the drivers above it and the first PCI function.
struct DevicePlace: Sendable {
    private(set) var chain: [String] = []
    private(set) var pciSlot: String?
    private(set) var interface = "other"
    private(set) var isParavirtual = false
    private(set) var isSoftware = false
    /// Devices of the same namespace, each by another controller, where NVMe has several.
    private(set) var paths: [String] = []
    private(set) var driver: Fact<String> = .absent("no driver above the device")

    init(_ name: String, _ root: HostRoot) {
        let target = (try? root.link("sys/block/\(name)")) ?? ""
        if target.holds("/virtual/block/") || target.isEmpty,
            let line = BlockInterface.software.first(where: { name.hasPrefix($0.prefix) })
        {
            interface = line.name
            driver = .known(line.name)
            isSoftware = true
            return
        }
        if target.holds("/nvme-subsystem/") { paths = Self.paths(target, name, root) }
        climb(Self.path(target, name, root), name, root)
        let lines = chain.compactMap { driver in
            BlockInterface.table.first { $0.driver == driver }
        }
        // The general driver of persistent memory stands above virtio's: the agreement with the
        // hypervisor tells more.
        if let known = lines.first(where: \.isParavirtual) ?? lines.first {
            driver = .known(known.driver)
            interface = known.name
            isParavirtual = known.isParavirtual
        } else if let first = chain.first {
            // An adapter of no line in the table: SCSI disks name theirs above their own driver.
            driver = .known(first == "sd" && chain.count > 1 ? chain[1] : first)
            if first == "sd" { interface = "scsi" }
        } else if name.hasPrefix("nvme") {
            interface = "nvme"
            driver = .known("nvme")
        } else if !root.isLive,
            let line = BlockInterface.interface(
                name,
                above: pieces(Self.path(target, name, root), separator: "/").dropLast().reversed()
            )
        {
            driver = .absent("the recording has no links to drivers")
            interface = line.name
            isParavirtual = line.isParavirtual
        }
    }

    /// The device's folder below the root, as `sys/devices/…/virtio1/block/vda`.
    private static func path(_ target: String, _ name: String, _ root: HostRoot) -> String {
        let path = below(target)
        guard path.holds("/nvme-subsystem/") else { return path }
        // Native multipath hides the controller: any of the subsystem's leads to the bus.
        let subsystem = parent(path)
        for controller in root.namesIfPresent(subsystem) where controller.hasPrefix("nvme") {
            if let link = try? root.link("\(subsystem)/\(controller)"), link.holds("/nvme/") {
                return "\(below(link))/\(name)"
            }
        }
        return path
    }

    /// `nvme0c1n2` for each controller `nvme1` of the subsystem that `nvme0n2` belongs to.
    private static func paths(_ target: String, _ name: String, _ root: HostRoot) -> [String] {
        guard let at = name.utf8.lastIndex(of: UInt8(ascii: "n")) else { return [] }
        return root.namesIfPresent(parent(below(target))).compactMap { controller in
            guard NVMeController.isController(controller) else { return nil }
            return "\(name[..<at])c\(controller.dropFirst(4))\(name[at...])"
        }
    }

    /// `../../devices/x` as `sys/devices/x`, however many folders the link climbs.
    static func below(_ target: String) -> String {
        var rest = target
        while let shorter = rest.dropping(prefix: "../") { rest = shorter }
        return rest.hasPrefix("devices/") ? "sys/\(rest)" : "sys/devices/\(rest)"
    }

    private mutating func climb(_ path: String, _ name: String, _ root: HostRoot) {
        var folder = parent(path)
        if folder.utf8.count <= "sys/devices".utf8.count {
            // A recorded tree without links: the device's own folder is all there is.
            if let driver = root.linkName("sys/block/\(name)/device/driver").value {
                chain.append(driver)
            }
            return
        }
        while folder.utf8.count > "sys/devices".utf8.count {
            let component = lastComponent(folder)
            // These folders only group devices; they have no driver.
            if component != "block", component != "nvme",
                let driver = root.linkName("\(folder)/driver").value
            {
                chain.append(driver)
            }
            if PCIDevice.isSlot(component) {
                pciSlot = component
                return
            }
            folder = parent(folder)
        }
    }
}
