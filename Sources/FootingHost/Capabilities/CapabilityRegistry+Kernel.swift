internal import CFooting
public import FootingSystem

extension CapabilityRegistry {
    /// Looks for everything that this library has a detector for.
    ///
    /// - Parameters:
    ///   - root: the machine that the report is of, for what a report does not hold.
    ///   - report: its facts.
    public static func gather(root: HostRoot, report: HostReport) -> CapabilityRegistry {
        var registry = CapabilityRegistry()
        registry.registerDisks(report.hardware.block)
        registry.registerMemory(report.memory, report.numa)
        registry.registerQAT(report.hardware.qat)
        registry.registerPeripherals(report.hardware.peripherals)
        registry.registerKernel(root, report)
        registry.registerRing(root)
        registry.registerPassthrough(root, report.hardware.block)
        return registry
    }

    /// Nodes and files whose presence is the capability: one line for each.
    private static let files: [(name: String, path: String, says: String)] = [
        ("kvm", "dev/kvm", "the kernel can run virtual machines"),
        ("mshv", "dev/mshv", "the root partition of Hyper-V can run virtual machines"),
        ("vfio", "dev/vfio/vfio", "devices can be handed to processes"),
        ("pressure", "proc/pressure/memory", "the kernel measures stalls for want of memory"),
        ("vmclock", "dev/vmclock0", "the hypervisor tells of migrations and clones"),
    ]

    private mutating func registerKernel(_ root: HostRoot, _ report: HostReport) {
        for line in Self.files {
            let evidence = Evidence(source: line.path, value: "", says: line.says)
            settle(
                line.name,
                root.exists(line.path) ? [evidence] : [],
                otherwise: "\(line.path) is not there"
            )
        }
        let groups = report.hardware.pci.compactMap { device in
            device.iommuGroup.value.map { (device.slot, $0) }
        }
        settle(
            "iommu",
            groups.first.map { slot, group in
                [
                    Evidence(
                        source: "sys/bus/pci/devices/\(slot)/iommu_group",
                        value: String(group),
                        says: "devices are kept apart"
                    )
                ]
            } ?? [],
            otherwise: "no PCI function is in an IOMMU group"
        )
        let hierarchy = report.limits.hierarchy
        let says = "control groups: \(hierarchy.rawValue)"
        let evidence = Evidence(source: "proc/self/cgroup", value: hierarchy.rawValue, says: says)
        settle(
            "cgroup.v1",
            hierarchy == .version1 || hierarchy == .hybrid ? [evidence] : [],
            otherwise: says
        )
        settle(
            "cgroup.v2",
            hierarchy == .version2 || hierarchy == .hybrid ? [evidence] : [],
            otherwise: says
        )
        let pages = report.numa.nodes.filter { ($0.hugePages.value ?? 0) > 0 }
        settle(
            "hugepages",
            pages.map {
                Evidence(
                    source: "sys/devices/system/node/node\($0.id)/meminfo",
                    value: String($0.hugePages.value ?? 0),
                    says: "huge pages set aside"
                )
            },
            otherwise: "no node has huge pages set aside"
        )
    }

    /// io_uring: the call itself proves it on the running machine, since old kernels have no file
    /// that tells and sandboxes forbid what the kernel has.
    private mutating func registerRing(_ root: HostRoot) {
        let path = "proc/sys/kernel/io_uring_disabled"
        let call = "io_uring_setup(2)"
        do throws(Errno) {
            _ = try root.answer(call) { () throws(Errno) in
                // A tree of files does not tell what its kernel would have said.
                guard root.isLive else { throw .noSuchFile }
                let result = footing_probe_ring()
                guard result == 0 else { throw Errno(rawValue: -result) }
                return "works"
            }
            let says = "the kernel knows the call and lets this process make it"
            return register("io_uring", [Evidence(source: call, value: "", says: says)])
        } catch {
            if error != .noSuchFile {
                return note(absent: "io_uring", because: "\(call): \(error)")
            }
        }
        switch root.fact(path) {
        case .known("0"):
            let says = "everyone may use it"
            register("io_uring", [Evidence(source: path, value: "0", says: says)])
        case .known(let value): note(absent: "io_uring", because: "\(path) is \(value)")
        case .absent(let reason): note(absent: "io_uring", because: reason)
        }
    }

    /// NVMe commands from user space: a free namespace's own node, and io_uring to carry them.
    private mutating func registerPassthrough(_ root: HostRoot, _ block: [BlockDevice]) {
        let name = "nvme.passthrough"
        guard has("io_uring") else { return note(absent: name, because: "no io_uring") }
        let free = block.filter { $0.isFree.value == true }
        let nodes = free.compactMap { device in
            // The generic node of `nvme0n1` is `ng0n1`.
            device.name.dropping(prefix: "nvme").map { "dev/ng\($0)" }
        }.filter { root.exists($0) }
        settle(
            name,
            nodes.map {
                Evidence(source: $0, value: "", says: "takes commands for a namespace nothing uses")
            },
            otherwise: free.isEmpty
                ? "no NVMe namespace is known to be free" : "no node dev/ng* of a free namespace"
        )
    }
}
