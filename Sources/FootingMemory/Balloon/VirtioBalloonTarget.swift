internal import FootingHost
internal import FootingSystem

/// What the hypervisor wants in a virtio balloon: `num_pages` of the device's own configuration.
///
/// Linux shows it to the driver alone, so the device is asked beside the driver: through the I/O
/// ports of a transitional device, which are only read; else through the window in its PCI
/// configuration space, which Linux does not use. Only the three registers that choose what the
/// window shows are written, and what it may show here is read without any effect. Programs that
/// ask for the same write the same, so no lock is needed between them; what another one chose is
/// noticed.
final class VirtioBalloonTarget: Sendable {
    private enum Way: Sendable {
        case ports(VirtioLayout.Ports)
        case window(VirtioLayout.Window)
    }

    /// Somebody who chooses something else each time is not waited for.
    private static let attemptsMaximum = 3
    /// Balloons count pages of 4 KiB, whatever the guest's are (virtio 1.2, 5.5).
    private static let pageBytes: UInt64 = 4096
    /// What a function that has gone answers to everything.
    private static let nobody: UInt32 = .max

    /// Where the target is read, for people.
    let source: String
    private let function: any PCIFunctionAccess
    private let way: Way
    /// What the window showed last.
    private let last = Locked<UInt32?>(nil)

    private init(_ source: String, _ function: any PCIFunctionAccess, _ way: Way) {
        self.source = source
        self.function = function
        self.way = way
    }

    /// Finds a way to the target of a balloon.
    ///
    /// - Parameters:
    ///   - device: the virtio device's folder.
    ///   - root: the machine; one that is not live has nobody to ask.
    static func find(_ device: String, _ root: HostRoot) -> Fact<VirtioBalloonTarget> {
        guard root.isLive else { return .absent("a recorded machine has no device to ask") }
        guard (try? root.attribute("\(device)/device")) == "0x0005",
            name(try? root.link("\(device)/driver")) == "virtio_balloon"
        else { return .absent("\(device) is not driven by virtio_balloon") }
        // .../0000:00:03.0/virtio0
        let parts = ((try? root.link(device)) ?? "").split(separator: "/")
        guard let slot = parts.dropLast().last.map({ String($0) }), PCIDevice.isSlot(slot) else {
            return .absent("\(device) is not a PCI device")
        }
        return find(slot, LivePCIFunction("sys/bus/pci/devices/\(slot)", root))
    }

    /// Finds a way to the target of the balloon that a PCI function is.
    static func find(
        _ slot: String,
        _ function: any PCIFunctionAccess
    ) -> Fact<VirtioBalloonTarget> {
        let layout: Fact<VirtioLayout>
        do throws(Errno) {
            layout = try VirtioLayout.ofBalloon { offset, count throws(Errno) in
                try function.configuration(at: offset, count: count)
            }
        } catch {
            return .absent("the configuration of \(slot) cannot be read: \(error)")
        }
        guard let layout = layout.value else {
            return .absent("the configuration of \(slot): \(layout.absence ?? "")")
        }
        var reasons: [String] = []
        if let ports = layout.ports.value {
            let source = "I/O port \(ports.offset) of \(slot)"
            let target = VirtioBalloonTarget(source, function, .ports(ports))
            guard let reason = target.read().absence else { return .known(target) }
            reasons.append(reason)
        } else {
            reasons.append("I/O ports of \(slot): \(layout.ports.absence ?? "")")
        }
        if let window = layout.window.value {
            let source = "the configuration window of \(slot)"
            let target = VirtioBalloonTarget(source, function, .window(window))
            guard let reason = target.read().absence else { return .known(target) }
            reasons.append(reason)
        } else {
            reasons.append("the window of \(slot): \(layout.window.absence ?? "")")
        }
        return .absent(reasons.joined(separator: "; "))
    }

    /// The last part of a link.
    private static func name(_ link: String?) -> String? {
        link?.split(separator: "/").last.map { String($0) }
    }

    /// The target now, in bytes.
    func read() -> Fact<UInt64> {
        let pages: UInt32?
        do throws(Errno) {
            switch way {
            case .ports(let ports): pages = try read(ports)
            case .window(let window): pages = try read(window)
            }
        } catch {
            return .absent("\(source) cannot be asked: \(Self.reason(error))")
        }
        guard let pages else { return .absent("\(source) shows something else") }
        guard pages != Self.nobody else { return .absent("\(source) does not answer") }
        return .known(UInt64(pages) * Self.pageBytes)
    }

    private static func reason(_ error: Errno) -> String {
        error == .notPermitted ? "\(error), as in lockdown (kernel_lockdown(7))" : "\(error)"
    }

    /// Nil where the driver has moved the configuration by its use of interrupts.
    private func read(_ ports: VirtioLayout.Ports) throws(Errno) -> UInt32? {
        if let offset = ports.vectorsOffset {
            let bytes = try function.configuration(at: offset, count: 2)
            guard bytes.count == 2 else { return nil }
            let control = UInt64(bytes[0]) | UInt64(bytes[1]) << 8
            guard VirtioLayout.Ports.hasVectors(control) == ports.hasVectors else { return nil }
        }
        return try function.port(at: ports.offset)
    }

    /// Nil where somebody else chooses all the time what the window shows.
    private func read(_ window: VirtioLayout.Window) throws(Errno) -> UInt32? {
        for _ in 0..<Self.attemptsMaximum {
            // Never shown before it is known what: reading can have effects elsewhere.
            if try isShown(window) {
                let bytes = try function.configuration(
                    at: window.dataOffset,
                    count: VirtioLayout.wordBytes
                )
                guard bytes.count == VirtioLayout.wordBytes else { return nil }
                let pages = bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
                // Each word costs an exit to the hypervisor: what is as it was needs no proof.
                if last.withLock({ $0 }) == pages { return pages }
                if try isShown(window) {
                    last.withLock { $0 = pages }
                    return pages
                }
            }
            let registers = window.registers
            let at = window.registersOffset
            // The BAR's number is a byte; offset and length are words.
            try function.setConfiguration(Array(registers[..<1]), at: at)
            try function.setConfiguration(Array(registers[4..<8]), at: at + 4)
            try function.setConfiguration(Array(registers[8...]), at: at + 8)
        }
        return nil
    }

    private func isShown(_ window: VirtioLayout.Window) throws(Errno) -> Bool {
        window.isShown(
            by: try function.configuration(
                at: window.registersOffset,
                count: VirtioLayout.Window.registersBytes
            )
        )
    }
}
