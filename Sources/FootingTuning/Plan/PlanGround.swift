internal import FootingDeployment
internal import FootingHost
internal import FootingSystem

/// A disk at the bottom of the path, with its queue as it is.
struct PlanDevice: Sendable {
    let device: BlockDevice
    /// The values of the queue's attributes that are there.
    let queue: [QueueAttribute: String]
    /// The schedulers that the kernel has for it now.
    let schedulers: [String]

    var name: String { device.name }

    init(_ device: BlockDevice, _ root: HostRoot) {
        self.device = device
        var queue: [QueueAttribute: String] = [:]
        var schedulers: [String] = []
        for attribute in QueueAttribute.allCases {
            let path = "sys/block/\(device.name)/queue/\(attribute.rawValue)"
            guard let text = try? root.attribute(path), Self.isPlain(text) else { continue }
            if attribute == .scheduler {
                schedulers = text.split { " []".contains($0) }.map(String.init)
            }
            queue[attribute] = attribute.value(text)
        }
        self.queue = queue
        self.schedulers = schedulers
    }

    /// Whether a text is what an attribute holds: one line of printable characters.
    private static func isPlain(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x20...0x7e).contains($0) }
    }

    func number(_ attribute: QueueAttribute) -> Int? { queue[attribute].flatMap { Int($0) } }

    /// What its queue says of itself, as evidence.
    func evidence(_ attribute: QueueAttribute, _ says: String) -> Evidence {
        Evidence(
            source: "sys/block/\(name)/queue/\(attribute.rawValue)",
            value: queue[attribute] ?? "",
            says: says
        )
    }

    /// What kind of device it is, as evidence.
    var interfaceEvidence: Evidence {
        let driver = device.driver.value ?? "unknown"
        return Evidence(source: "sys/block/\(name)", value: driver, says: device.interface)
    }
}

/// Everything that rules look at.
struct PlanGround: Sendable {
    let detection: Detection
    let devices: [PlanDevice]
    let machine: [MachineAttribute: String]
    /// The kernel's command line; nil where it cannot be read.
    let commandLine: String?
    /// What is decided for a disk in a file.
    let hosted: HostedOptimizer
    private let root: HostRoot

    var report: HostReport { detection.report }
    var path: PathFacts? { report.path }

    init(_ detection: Detection, _ root: HostRoot) {
        self.detection = detection
        let names = detection.report.path?.disks.value ?? []
        devices = names.compactMap { name in
            detection.report.hardware.block.first { $0.name == name }
        }.map { PlanDevice($0, root) }
        var machine: [MachineAttribute: String] = [:]
        for attribute in MachineAttribute.allCases {
            if let text = try? root.attribute(attribute.path), !text.isEmpty {
                machine[attribute] = text
            }
        }
        self.machine = machine
        self.root = root
        hosted = HostedOptimizer(detection.report, root: root)
        commandLine = try? root.beginning("proc/cmdline", limitBytes: 4096)
    }

    /// The value that a module has, or else that of the last such word of the command line.
    func bootValue(_ parameter: String) -> String? {
        moduleValue(parameter) ?? wordValue(parameter)
    }

    /// What the module itself says, wherever it has it from, as from modprobe.d.
    private func moduleValue(_ parameter: String) -> String? {
        let parts = parameter.split(separator: ".", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        let path = "sys/module/\(Self.plain(String(parts[0])))/parameters/\(parts[1])"
        guard let text = try? root.attribute(path), (1...128).contains(text.utf8.count),
            text.utf8.allSatisfy({ (0x20...0x7e).contains($0) })
        else { return nil }
        return text
    }

    private func wordValue(_ parameter: String) -> String? {
        // A dash and an underscore are the same in a module's name.
        let wanted = Self.plain(parameter)
        return commandLine?.split(separator: " ").compactMap { word -> String? in
            let parts = word.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, Self.plain(String(parts[0])) == wanted else { return nil }
            return String(parts[1])
        }.last
    }

    private static func plain(_ name: String) -> String {
        String(name.map { $0 == "-" ? "_" : $0 })
    }
}
