internal import FootingSystem

/// An NVMe controller (`/sys/class/nvme`).
public struct NVMeController: Sendable {
    /// A namespace that it gives access to.
    public struct Namespace: Sendable, Equatable {
        /// Kernel name of the block device, as `nvme0n1`.
        public let name: String
        /// The namespace's own number on the controller (`nsid`).
        public let id: Fact<Int>
    }

    /// Kernel name, as `nvme0`.
    public let name: String
    /// Model number without trailing blanks.
    public let model: Fact<String>
    /// Firmware revision.
    public let firmware: Fact<String>
    /// `pcie`, `tcp`, `rdma`, `fc`, `loop` or `apple-nvme`.
    public let transport: Fact<String>
    /// `live`, `resetting`, `dead` or another of the kernel's words.
    public let state: Fact<String>
    /// What the model or the PCI id says of it, as `amazon-ebs`.
    public let product: Fact<String>
    /// The PCI function; absent over fabrics.
    public let pciSlot: Fact<String>
    /// NUMA node; -1 where the firmware names none.
    public let numaNode: Fact<Int>
    /// Queues, the one for administration included.
    public let queues: Fact<Int>
    /// Requests that fit into one queue.
    public let queueDepth: Fact<Int>
    /// Its namespaces, by kernel name.
    public let namespaces: [Namespace]

    /// Every controller, by name.
    ///
    /// - Parameter block: the block devices, whose folders lead to controllers in a tree without
    ///   `/sys/class/nvme`.
    static func all(
        _ root: HostRoot,
        block: [BlockDevice],
        pci: [PCIDevice]
    ) -> [NVMeController] {
        let folder = "sys/class/nvme"
        let names = root.namesIfPresent(folder).filter { isController($0) }
        var paths = names.map { "\(folder)/\($0)" }
        for device in block where paths.isEmpty || !root.isLive {
            guard device.name.hasPrefix("nvme"),
                let link = try? root.link("sys/block/\(device.name)")
            else { continue }
            let path = parent(DevicePlace.below(link))
            let name = lastComponent(path)
            if isController(name), !paths.contains(where: { lastComponent($0) == name }) {
                paths.append(path)
            }
        }
        paths.sort { number(lastComponent($0)) < number(lastComponent($1)) }
        return paths.map { NVMeController(lastComponent($0), $0, root, pci: pci) }
    }

    private init(_ name: String, _ path: String, _ root: HostRoot, pci: [PCIDevice]) {
        self.name = name
        let controller = Attributes(path, root)
        model = controller.fact("model")
        firmware = controller.fact("firmware_rev")
        transport = controller.fact("transport")
        state = controller.fact("state")
        queues = controller.count("queue_count")
        // The kernel counts the entries from zero, as the controller's register MQES does.
        switch controller.count("sqsize") {
        case .known(let size) where size > Int(UInt16.max): queueDepth = .absent("no size: \(size)")
        case let size: queueDepth = size.map { $0 + 1 }
        }
        let slot = Self.slot(controller.fact("address").value, path, root)
        let function = slot.flatMap { slot in pci.first { $0.slot == slot } }
        pciSlot = slot.map { .known($0) } ?? .absent("no PCI function above it")
        numaNode = function?.numaNode ?? controller.number("numa_node")
        product = BlockInterface.product(model: model.value, identity: function?.identity)
        namespaces = root.namesIfPresent(path).compactMap { entry in
            Self.head(ofPath: entry).map { head in
                Namespace(name: head, id: controller.count("\(entry)/nsid"))
            }
        }
    }

    /// The PCI function: over PCI Express the address, otherwise what lies above the device.
    private static func slot(_ address: String?, _ path: String, _ root: HostRoot) -> String? {
        if let address, PCIDevice.isSlot(address) { return address }
        let target = (try? root.link(path)) ?? path
        return pieces(target, separator: "/").last { PCIDevice.isSlot($0) }
    }

    /// Whether a name is `nvme` and a number.
    static func isController(_ name: String) -> Bool {
        number(name) >= 0
    }

    /// The number in `nvme0`; -1 if it is no such name.
    private static func number(_ name: String) -> Int {
        guard let digits = name.dropping(prefix: "nvme"), digits.utf8.count <= 9,
            digits.utf8.allSatisfy({ (48...57).contains($0) })
        else { return -1 }
        return Int(digits) ?? -1
    }

    /// The namespace that users see behind a path to it: `nvme0c1n2` is a path of `nvme0n2`.
    ///
    /// - Returns: the name itself without multipath; nil if it is no namespace.
    static func head(ofPath name: String) -> String? {
        let parts = path(name)
        return parts.map { "nvme\($0.subsystem)n\($0.namespace)" }
    }

    /// The number that namespaces of one controller, or of one subsystem, have in common.
    static func subsystem(ofNamespace name: String) -> Int? {
        path(name)?.subsystem
    }

    /// The numbers in `nvme0n1` or `nvme0c1n1`; nil if it is no namespace.
    private static func path(_ name: String) -> (subsystem: Int, namespace: Int)? {
        guard let rest = name.dropping(prefix: "nvme") else { return nil }
        let words = rest.utf8.split(separator: UInt8(ascii: "n"), omittingEmptySubsequences: false)
        guard words.count == 2, let namespace = Int(String(Substring(words[1]))) else { return nil }
        let controller = words[0].split(
            separator: UInt8(ascii: "c"),
            omittingEmptySubsequences: false
        )
        guard controller.count <= 2, let subsystem = Int(String(Substring(controller[0]))),
            controller.count == 1 || Int(String(Substring(controller[1]))) != nil,
            subsystem >= 0, namespace > 0
        else { return nil }
        return (subsystem, namespace)
    }
}
