public import FootingSystem

/// A memory balloon: the hypervisor's way to ask for memory back.
public struct Balloon: Sendable {
    /// `virtio-balloon`, `vmware`, `hyperv` or `xen`.
    public let kind: String
    /// The device or file that shows it.
    public let source: String
    /// Bytes in the balloon now.
    public let currentBytes: Fact<UInt64>
    /// Bytes the hypervisor wants in it, or with Xen wants this system to have.
    public let targetBytes: Fact<UInt64>
    /// Whether freed pages go back to the host without being asked for (virtio's feature 5).
    public let returnsFreePages: Fact<Bool>
    /// Whether the balloon gives way before the system runs out of memory (virtio's feature 2).
    public let deflatesWhenShort: Fact<Bool>

    /// The balloons count in guest pages, and every guest this code runs in has 4 KiB ones or says
    /// so in smaps; recorded trees have no page size of their own.
    private static let pageBytes: UInt64 = 4096

    /// Looks for one, without the rest of the machine.
    ///
    /// - Parameter root: the machine; `/proc/meminfo` is asked for what it counts.
    public static func find(_ root: HostRoot) -> Fact<Balloon> {
        let counted = kibibytes((try? root.beginning("proc/meminfo"))?.field("Balloon"))
        return find(root, paravirtual: ParavirtualDevice.all(root, pci: []), counted: counted)
    }

    /// Looks for each kind, in the order of what hypervisors offer.
    static func find(
        _ root: HostRoot,
        paravirtual: [ParavirtualDevice],
        counted: UInt64?
    ) -> Fact<Balloon> {
        if let device = paravirtual.first(where: { $0.kind == "balloon" }) {
            let source = "sys/bus/\(device.bus)/devices/\(device.name)"
            return .known(
                device.bus == "virtio"
                    ? virtio(source, counted, root) : hyperV(source, counted, root)
            )
        }
        let xen = "sys/devices/system/xen_memory/xen_memory0"
        if root.exists(xen) { return .known(find(inXen: xen, root)) }
        if root.exists("sys/module/vmw_balloon") { return .known(vmware(counted, root)) }
        return .absent("no virtio, Hyper-V, Xen or VMware balloon")
    }

    private static func virtio(_ source: String, _ counted: UInt64?, _ root: HostRoot) -> Balloon {
        let features = root.fact("\(source)/features")
        return Balloon(
            kind: "virtio-balloon",
            source: source,
            currentBytes: current(root, counted: counted, countsEvents: counted == nil),
            targetBytes: .absent("the device has to be asked; a running disk does"),
            returnsFreePages: bit(5, features),
            deflatesWhenShort: bit(2, features)
        )
    }

    /// The features are a text of 0 and 1, the lowest bit first.
    private static func bit(_ number: Int, _ features: Fact<String>) -> Fact<Bool> {
        switch features {
        case .absent(let reason): return .absent(reason)
        case .known(let text):
            let bits = Array(text.utf8)
            guard bits.count > number else { return .absent("features has no bit \(number)") }
            return .known(bits[number] == UInt8(ascii: "1"))
        }
    }

    /// Hyper-V shows its state to root only, in debugfs; it counts pages, not events.
    private static func hyperV(_ source: String, _ counted: UInt64?, _ root: HostRoot) -> Balloon {
        let path = "sys/kernel/debug/hv-balloon"
        let text = try? root.beginning(path)
        let pages = text?.field("pages_ballooned").flatMap { UInt64($0) }
        let size = text?.field("page_size").flatMap { UInt64($0) } ?? pageBytes
        let reason = "a guest of Hyper-V is not told"
        return Balloon(
            kind: "hyperv",
            source: source,
            currentBytes: current(
                root,
                counted: larger(counted, bytes(pages, of: size)),
                countsEvents: false
            ),
            targetBytes: .absent("the guest is not shown the target"),
            returnsFreePages: .absent(reason),
            deflatesWhenShort: .absent(reason)
        )
    }

    /// VMware shows target and state to root only, in debugfs, in pages.
    private static func vmware(_ counted: UInt64?, _ root: HostRoot) -> Balloon {
        let path = "sys/kernel/debug/vmmemctl"
        let text = try? root.beginning(path)
        func pages(_ name: String) -> UInt64? {
            let words = text?.field(name).map { pieces($0, separator: " ") }
            return bytes(words?.first.flatMap { UInt64($0) }, of: pageBytes)
        }
        let reason = "VMware's balloon does not"
        return Balloon(
            kind: "vmware",
            source: "sys/module/vmw_balloon",
            currentBytes: pages("current").map { .known($0) }
                ?? current(root, counted: counted, countsEvents: true),
            targetBytes: pages("target").map { .known($0) }
                ?? .absent("\(path) may be read by root only, or is not there"),
            returnsFreePages: .absent(reason),
            deflatesWhenShort: .absent(reason)
        )
    }

    private static func bytes(_ pages: UInt64?, of size: UInt64) -> UInt64? {
        guard let product = pages?.multipliedReportingOverflow(by: size) else { return nil }
        return product.overflow ? nil : product.partialValue
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
        // One read gives about 4 KiB of it, whatever is asked for; the lines may stand behind that.
        guard let whole = try? root.bytes("proc/vmstat") else { return nil }
        let text = String(decoding: whole, as: UTF8.self)
        func count(_ name: String) -> UInt64? {
            lines(text).first { $0.hasPrefix(name) }.flatMap { $0.dropping(prefix: name) }
                .flatMap { UInt64($0) }
        }
        guard let inflated = count("balloon_inflate "), let deflated = count("balloon_deflate "),
            inflated >= deflated
        else { return nil }
        return bytes(inflated - deflated, of: pageBytes)
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
        let reason = "Xen's balloon does not"
        return Balloon(
            kind: "xen",
            source: path,
            currentBytes: inBalloon,
            targetBytes: target,
            returnsFreePages: .absent(reason),
            deflatesWhenShort: .absent(reason)
        )
    }
}
