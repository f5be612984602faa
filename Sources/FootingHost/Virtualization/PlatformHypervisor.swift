internal import FootingSystem

/// Hypervisors of single architectures, each with a source of its own.
enum PlatformHypervisor {
    /// What `/proc/cpuinfo` tells of the machine, where CPUID does not tell as much.
    ///
    /// The kernel takes 30 µs to write it. On a live x86 machine only User Mode Linux, known by a
    /// file of its own, has anything there that the instruction would not say better.
    static func processorText(_ root: HostRoot, _ processor: CPUIDFacts) -> String? {
        if root.isLive, processor.absence == nil, !root.exists("proc/exitcode") { return nil }
        return root.processorSummary()
    }

    typealias Finding = (kind: HypervisorKind, evidence: Evidence)

    /// User Mode Linux executes the host's CPUID, so `/proc/cpuinfo` must be asked first.
    static func userMode(processorText: String?) -> Finding? {
        guard let vendor = processorText?.field("vendor_id"), vendor == "User Mode Linux" else {
            return nil
        }
        return (.uml, Evidence(source: "proc/cpuinfo", value: vendor, says: "User Mode Linux"))
    }

    /// POWER, SPARC, Itanium and what emulators write into `/proc/cpuinfo`.
    ///
    /// The order: a board that names its emulator, then the files that one firmware alone has.
    /// `lparcfg` comes after them, as QEMU's POWER board has it too.
    static func partition(_ root: HostRoot, _ model: String?, processorText: String?) -> Finding? {
        if let model, isEmulators(model) {
            let says = "a processor that only QEMU has; \(unknown)"
            return (.qemu, Evidence(source: "the processor's name", value: model, says: says))
        }
        if let text = processorText, let finding = emulated(text, root) { return finding }
        if root.exists("proc/iSeries") {
            return ("os400", Evidence(source: "proc/iSeries", value: "", says: "a guest of OS/400"))
        }
        // A machine without a hypervisor has none of this, but the platform says what it is.
        let isBare = processorText?.field("platform") == "PowerNV"
        if !isBare, let text = try? root.beginning("proc/ppc64/lparcfg"),
            let mode = lines(text).first(where: { $0.hasPrefix("shared_processor_mode=") })
        {
            let isShared = mode.hasSuffix("=1")
            return (
                .powervm,
                Evidence(
                    source: "proc/ppc64/lparcfg",
                    value: mode,
                    says: "a PowerVM partition with \(isShared ? "shared" : "dedicated") processors"
                )
            )
        }
        guard root.exists("dev/mdesc") else { return nil }
        return (
            .ldoms,
            Evidence(source: "dev/mdesc", value: "", says: "a SPARC machine description: LDoms")
        )
    }

    /// The default models of QEMU; with a model of its host's, it writes the host's name.
    static func isEmulators(_ model: String) -> Bool {
        ["QEMU Virtual CPU", "QEMU TCG CPU", "Common KVM", "Common 32-bit KVM"]
            .contains { model.hasPrefix($0) }
    }

    private static let unknown = "whether KVM accelerates it is not told"

    private static func emulated(_ text: String, _ root: HostRoot) -> Finding? {
        let source = "proc/cpuinfo"
        if let machine = text.field("machine"), machine.holds("emulated by qemu") {
            let says = "QEMU's POWER board; \(unknown)"
            return (.qemu, Evidence(source: source, value: machine, says: says))
        }
        if text.holds("PowerVM Lx86") {
            let evidence = Evidence(source: source, value: "PowerVM Lx86", says: "x86 on POWER")
            return ("powervm-lx86", evidence)
        }
        // The bus is registered by any kernel for Xen, and Itanium's were built for guests alone.
        if text.field("arch") == "IA-64", root.exists("sys/bus/xen"),
            !root.exists("sys/bus/xen-backend")
        {
            let says = "Xen's bus on an Itanium without the host's side of it"
            return (.xen, Evidence(source: "sys/bus/xen", value: "", says: says))
        }
        return nil
    }

    /// Buses that exist only as an agreement with one hypervisor, if a device is on them.
    static func bus(_ root: HostRoot) -> Finding? {
        bus("xen", of: .xen, root) ?? bus("vmbus", of: .hyperv, root)
    }

    private static func bus(_ bus: String, of kind: HypervisorKind, _ root: HostRoot) -> Finding? {
        let path = "sys/bus/\(bus)/devices"
        guard let device = root.namesIfPresent(path).first else { return nil }
        let says = "a device on the bus of \(kind)"
        return Finding(
            kind: kind,
            evidence: Evidence(source: "\(path)/\(device)", value: "", says: says)
        )
    }

    /// What a hypervisor's drivers leave, in recordings by tools that judge by it: modules that
    /// load in its virtual machines, and a file of Hyper-V's daemon.
    ///
    /// Hyper-V always signs: with CPUID, its traces came with a disk that was copied.
    static func traces(_ root: HostRoot, hasCPUID: Bool) -> Finding? {
        guard !root.isLive else { return nil }
        let path = "proc/modules"
        let names = lines((try? root.text(path)) ?? "").compactMap {
            pieces($0, separator: " ").first
        }
        for (module, kind) in modules where names.contains(module) {
            if hasCPUID, kind == .hyperv { continue }
            let says = "a driver for virtual machines of \(kind)"
            return (kind, Evidence(source: path, value: module, says: says))
        }
        let pool = "var/lib/hyperv/.kvp_pool_3"
        guard !hasCPUID, root.exists(pool) else { return nil }
        return (.hyperv, Evidence(source: pool, value: "", says: "what Hyper-V's host tells"))
    }

    private static let modules: [(name: String, kind: HypervisorKind)] = [
        ("vboxguest", .virtualbox), ("hv_vmbus", .hyperv), ("vmw_balloon", .vmware),
        ("vmmemctl", .vmware), ("prl_tg", .parallels),
    ]

    /// Clocks that a kernel registers only after it has found its hypervisor.
    static func clock(_ root: HostRoot) -> Finding? {
        let path = "sys/devices/system/clocksource/clocksource0/available_clocksource"
        guard let text = root.fact(path).value else { return nil }
        for clock in pieces(text, separator: " ") {
            guard let line = clocks.first(where: { clock.hasPrefix($0.prefix) }) else { continue }
            return (
                line.kind, Evidence(source: path, value: clock, says: "a clock of \(line.kind)")
            )
        }
        return nil
    }

    private static let clocks: [(prefix: String, kind: HypervisorKind)] = [
        ("kvm-clock", .kvm), ("xen", .xen), ("hyperv_clocksource", .hyperv),
        ("lguest", "lguest"),
    ]

    /// KVM's clock for other architectures, `drivers/ptp/ptp_kvm_common.c`: it tells KVM from TCG
    /// where there is no CPUID.
    static func sharedClock(_ root: HostRoot) -> Evidence? {
        let folder = "sys/class/ptp"
        for name in root.namesIfPresent(folder).prefix(16) {
            let path = "\(folder)/\(name)/clock_name"
            if let text = root.fact(path).value, text == "KVM virtual PTP" {
                return Evidence(
                    source: path,
                    value: text,
                    says: "a clock that only KVM's guests have"
                )
            }
        }
        return nil
    }

    /// The maker of the ACPI tables, where a small hypervisor signs nothing else.
    static func firmwareProduct(_ root: HostRoot) -> (product: String, evidence: Evidence)? {
        let path = "sys/firmware/acpi/tables/FACP"
        guard let table = try? root.firstBytes(path, count: 36), table.count >= 16 else {
            return nil
        }
        let maker = printable(Array(table[10..<16]))
        return firmwareMakers.first { $0.maker == maker }.map {
            (
                $0.product,
                Evidence(source: path, value: maker, says: "the ACPI tables' maker: \($0.product)")
            )
        }
    }

    private static let firmwareMakers: [(maker: String, product: String)] = [
        ("FIRECK", "firecracker"),
        ("CLOUDH", "cloud-hypervisor"),
        ("CROSVM", "crosvm"),
        ("ACRN", "acrn"),
    ]
}

/// IBM Z: `/proc/sysinfo` (STSI) names every control program below this system.
struct Mainframe: Sendable {
    let kind: HypervisorKind
    let evidence: Evidence
    /// The control program's version, where it tells one.
    let version: String?
    /// What is under that control program, the nearer first.
    let outer: [(kind: HypervisorKind, source: String)]

    private static let path = "proc/sysinfo"

    /// Nil off IBM Z, and on a machine without partitions.
    init?(_ root: HostRoot) {
        guard let text = try? root.beginning(Self.path, limitBytes: 16384) else { return nil }
        self.init(text)
    }

    /// The same of the file's text.
    init?(_ text: String) {
        let source = Self.path
        // VM00 is the program that runs this system, VM01 the one that runs VM00.
        let programs = (0..<8).map { text.field("VM0\($0) Control Program") }
            .prefix { $0 != nil }.compactMap { $0 }
        let name = text.field("LPAR Name")
        let hasPartition = name != nil || lines(text).contains { $0.hasPrefix("LPAR ") }
        let below = hasPartition ? [(kind: HypervisorKind.prsm, source: source)] : []
        if let program = programs.first {
            kind = Self.kind(program)
            evidence = Evidence(
                source: source,
                value: program,
                says: "the control program of this virtual machine"
            )
            version = program.dropping(prefix: "z/VM").flatMap {
                $0.trimmed.isEmpty ? nil : $0.trimmed
            }
            outer = programs.dropFirst().map { (Self.kind($0), source) } + below
            return
        }
        guard hasPartition else { return nil }
        kind = .prsm
        evidence = Evidence(
            source: source,
            value: name ?? "LPAR",
            says: "a logical partition under PR/SM"
        )
        version = nil
        outer = []
    }

    /// QEMU writes `KVM/Linux` whether or not KVM accelerates it; anything else is of that kind.
    private static func kind(_ program: String) -> HypervisorKind {
        program.hasPrefix("z/VM") ? .zvm : .kvm
    }
}
