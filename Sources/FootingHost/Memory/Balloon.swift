internal import FootingSystem

/// A memory balloon: the hypervisor's way to ask for memory back.
public struct Balloon: Sendable {
    /// `virtio-balloon`, `vmware`, `hyperv` or `xen`.
    public let kind: String
    /// The device or file that shows it.
    public let source: String
    /// Bytes in the balloon now.
    public let currentBytes: Fact<UInt64>
    /// Bytes the hypervisor wants this system to have; only Xen shows it without debugfs.
    public let targetBytes: Fact<UInt64>

    /// Looks for each kind, in the order of what hypervisors offer.
    static func find(
        _ root: HostRoot,
        paravirtual: [ParavirtualDevice],
        counted: UInt64?
    ) -> Fact<Balloon> {
        let hidden: Fact<UInt64> = .absent("the guest is not shown the target")
        if let device = paravirtual.first(where: { $0.kind == "balloon" }) {
            let isVirtio = device.bus == "virtio"
            return .known(
                Balloon(
                    kind: isVirtio ? "virtio-balloon" : "hyperv",
                    source: "sys/bus/\(device.bus)/devices/\(device.name)",
                    currentBytes: current(
                        root,
                        counted: counted,
                        countsEvents: isVirtio && counted == nil
                    ),
                    targetBytes: hidden
                )
            )
        }
        let xen = "sys/devices/system/xen_memory/xen_memory0"
        if root.exists(xen) { return .known(find(inXen: xen, root)) }
        if root.exists("sys/module/vmw_balloon") {
            return .known(
                Balloon(
                    kind: "vmware",
                    source: "sys/module/vmw_balloon",
                    currentBytes: current(root, counted: counted, countsEvents: true),
                    targetBytes: hidden
                )
            )
        }
        return .absent("no virtio, Hyper-V, Xen or VMware balloon")
    }

    /// What `/proc/meminfo` counts (6.16 and later), or inflations less deflations.
    ///
    /// The larger of both for VMware, whose large pages are counted only as events; Hyper-V's are
    /// counted only as pages, virtio's as both.
    private static func current(
        _ root: HostRoot,
        counted: UInt64?,
        countsEvents: Bool
    ) -> Fact<UInt64> {
        let events = countsEvents ? eventBytes(root) : nil
        guard let most = larger(counted, events) else {
            return .absent("neither proc/meminfo nor proc/vmstat counts it")
        }
        return .known(most)
    }

    private static func eventBytes(_ root: HostRoot) -> UInt64? {
        guard let text = try? root.beginning("proc/vmstat", limitBytes: 16384) else { return nil }
        func count(_ name: String) -> UInt64? {
            lines(text).first { $0.hasPrefix(name) }.flatMap { $0.dropping(prefix: name) }
                .flatMap { UInt64($0) }
        }
        guard let inflated = count("balloon_inflate "), let deflated = count("balloon_deflate "),
            inflated >= deflated
        else { return nil }
        // The counters are in guest pages, and every guest this code runs in has 4 KiB ones or says
        // so in smaps; recorded trees have no page size of their own.
        let bytes = (inflated - deflated).multipliedReportingOverflow(by: 4096)
        return bytes.overflow ? nil : bytes.partialValue
    }

    private static func find(inXen path: String, _ root: HostRoot) -> Balloon {
        func kilobytes(_ name: String) -> Fact<UInt64> {
            root.number("\(path)/\(name)").map { UInt64(max(0, $0)) << 10 }
        }
        let target = kilobytes("target_kb")
        let current = kilobytes("info/current_kb")
        let inBalloon: Fact<UInt64> =
            if let now = current.value, let maximum = kilobytes("static_max_kb").value {
                .known(maximum > now ? maximum - now : 0)
            } else {
                .absent("Xen's maximum is only in xenstore")
            }
        return Balloon(kind: "xen", source: path, currentBytes: inBalloon, targetBytes: target)
    }
}
