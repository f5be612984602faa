public import FootingDeployment
internal import FootingHost
public import FootingSystem

/// What of a machine and of a place decides how fast it is, for those who compare two.
public struct PlaceFacts: Sendable, Equatable {
    /// Of the machine: processor, memory, kernel, hypervisor.
    public let machine: JSONValue
    /// Of the place: file system and disks, with their queues as they are.
    public let place: JSONValue

    init(machine: JSONValue, place: JSONValue) {
        self.machine = machine
        self.place = place
    }

    /// Those of a machine that was looked at with a path.
    public init(_ detection: Detection) {
        let report = detection.report
        let hardware = report.hardware
        machine = [
            "architecture": Self.text(report.system.value?.machine),
            "kernel": Self.text(report.system.value?.release),
            "processor": Self.text(hardware.processor.model.value),
            "processors": hardware.processor.online.value
                .map { .integer(Int64($0.count)) } ?? .null,
            "memoryBytes": report.memory.totalBytes.value.map { JSONValue($0) } ?? .null,
            "vendor": Self.text(hardware.machine.vendor.value),
            "product": Self.text(hardware.machine.product.value),
            "environment": .string(detection.context.kind.rawValue),
        ]
        let path = report.path
        place = [
            "path": Self.text(path?.path), "fileSystem": Self.text(path?.type.value),
            "options": .array((path?.options ?? []).map { .string($0) }),
            "chain": .array((path?.chain ?? []).map { .string($0) }),
            "disks": .array(Self.disks(detection).map(Self.json)),
        ]
    }

    private static func text(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }

    /// The disks at the bottom of the path.
    static func disks(_ detection: Detection) -> [BlockDevice] {
        (detection.report.path?.disks.value ?? []).compactMap { name in
            detection.report.hardware.block.first { $0.name == name }
        }
    }

    private static func json(_ disk: BlockDevice) -> JSONValue {
        func number(_ value: Int?) -> JSONValue { value.map { .integer(Int64($0)) } ?? .null }
        func flag(_ value: Bool?) -> JSONValue { value.map { .bool($0) } ?? .null }
        return [
            "name": .string(disk.name), "interface": .string(disk.interface),
            "model": text(disk.model.value), "sizeBytes": JSONValue(disk.sizeBytes),
            "scheduler": text(disk.scheduler.value), "requests": number(disk.requests.value),
            "queues": number(disk.queues.value), "writeCache": text(disk.writeCache.value),
            "isRotational": flag(disk.rotational.value), "hasFUA": flag(disk.fua.value),
        ]
    }

    /// What tells whether a flush can be believed, without what is measured.
    public static func flushEvidence(_ detection: Detection) -> FlushVerdict.Evidence {
        let disks = disks(detection)
        var evidence = FlushVerdict.Evidence()
        evidence.writeCaches = disks.map { $0.writeCache.value ?? "" }
        // virtio-blk says of every disk that it turns.
        let known = disks.filter { $0.interface != "virtio-blk" }.compactMap(\.rotational.value)
        let isKnown = known.count == disks.count && !known.isEmpty
        evidence.isRotating = isKnown ? known.contains(true) : nil
        let kind = detection.report.path?.kind
        evidence.isElsewhere = kind == .volatile || kind == .network
        return evidence
    }

    /// How many flushes the disks have got since they were there; nil where one does not count.
    ///
    /// The sixteenth number of `/sys/block/*/stat` (Documentation/block/stat.rst), since 5.5. Only
    /// disks with hardware queues count (`blk_account_io_flush`): a head over several paths, as
    /// of NVMe, hands flushes on without counting any.
    public static func flushCount(_ detection: Detection, _ root: HostRoot) -> UInt64? {
        var count: UInt64 = 0
        for disk in disks(detection) {
            let folder = "sys/block/\(disk.name)"
            guard root.exists(folder + "/mq"), let text = try? root.attribute(folder + "/stat")
            else { return nil }
            let numbers = text.split(separator: " ")
            guard numbers.count > 15, let flushes = UInt64(numbers[15]) else { return nil }
            count &+= flushes
        }
        return count
    }
}
