public import FootingSystem

/// Something that may have changed the place this runs in.
public struct HostSignal: Sendable, Equatable {
    /// Where it came from.
    public enum Source: String, Sendable {
        /// The kernel told of a device, a processor or a block of memory.
        case device
        /// Something was mounted or unmounted.
        case mounts
        /// The machine was restored, copied or moved.
        case generation = "vm-generation"
        /// The machine was paused, or its clock was set.
        case clock
        /// Nothing told; it is simply time to look again.
        case interval
    }

    /// Where it came from.
    public let source: Source
    /// What was told, for people.
    public let what: String

    /// A signal.
    public init(_ source: Source, _ what: String) {
        self.source = source
        self.what = what
    }
}

/// Where signals come from: the kernel, or a test.
public protocol HostSignalSource: Sendable {
    /// Waits for signals.
    ///
    /// - Parameter milliseconds: the longest wait.
    /// - Returns: what came, empty if nothing did in time; nil when the watching is to end.
    func wait(milliseconds: Int32) throws(Errno) -> [HostSignal]?
}

/// A message of the kernel on a device (`lib/kobject_uevent.c`).
struct KernelEvent: Sendable, Equatable {
    let action: String
    let path: String
    let subsystem: String

    /// Nil if the bytes are no such message.
    init?(_ bytes: [UInt8]) {
        let words = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        guard let head = words.first, let at = head.utf8.firstIndex(of: UInt8(ascii: "@")) else {
            return nil
        }
        action = String(head[..<at])
        path = String(head[head.utf8.index(after: at)...])
        subsystem = words.lazy.compactMap { $0.dropping(prefix: "SUBSYSTEM=") }.first ?? ""
    }

    /// Subsystems whose devices the report shows; the kernel tells of many others.
    private static let subsystems: Set<String> = [
        "block", "bdi", "pci", "virtio", "vmbus", "xen", "nvme", "nvme-subsystem", "mmc", "scsi",
        "cpu", "memory", "node", "machinecheck", "misc", "dax", "nd", "usb", "platform",
        "virtio-ports", "gpio", "i2c", "spi",
    ]

    /// What it means for the report; nil if nothing.
    var signal: HostSignal? {
        guard Self.subsystems.contains(subsystem) else { return nil }
        return HostSignal(.device, "\(action) \(subsystem) \(lastComponent(path))")
    }
}
