internal import FootingSystem

/// What user space can see of a machine's generation: values that change when it is restored,
/// copied or moved.
///
/// The kernel keeps the identifier of `VMGENID` to itself, and has no message for its change.
struct GenerationMarks: Sendable, Equatable {
    /// A mark by the file it comes from; what is in it is no secret, but is not shown either.
    private(set) var marks: [String: [UInt8]] = [:]
    /// Files that would tell and cannot be read, with the reason.
    private(set) var absences: [String: String] = [:]

    /// QEMU's copy of the identifier, in the memory that the firmware maps.
    private static let identifier = "sys/firmware/qemu_fw_cfg/by_name/etc/vmgenid_guid/raw"
    /// Counts the interrupts by which QEMU tells of a restore, whatever the identifier.
    private static let interrupts = "sys/firmware/acpi/interrupts/gpe05"
    private static let device = "sys/bus/acpi/devices/QEMUVGID:00"
    private static let clock = "dev/vmclock0"

    init(_ root: HostRoot) {
        read(Self.identifier, root, count: 56) { bytes in
            bytes.count >= 56 ? Array(bytes[40..<56]) : nil
        }
        if root.exists(Self.device) {
            read(Self.interrupts, root, count: 64) { bytes in
                let number = bytes.drop { $0 == 32 }.prefix { (48...57).contains($0) }
                return number.isEmpty ? nil : Array(number)
            }
        }
        read(Self.clock, root, count: 112, Self.clockMarks)
    }

    /// `disruption_marker` and, if flag 8 says that it is there, `vm_generation_counter` of
    /// `include/uapi/linux/vmclock-abi.h`.
    private static func clockMarks(_ bytes: [UInt8]) -> [UInt8]? {
        guard bytes.count >= 32, Array(bytes[0..<4]) == Array("VCLK".utf8) else { return nil }
        let hasCounter = bytes[25] & 1 == 1 && bytes.count >= 112
        return Array(bytes[16..<24]) + (hasCounter ? Array(bytes[104..<112]) : [])
    }

    private mutating func read(
        _ path: String,
        _ root: HostRoot,
        count: Int,
        _ mark: ([UInt8]) -> [UInt8]?
    ) {
        do throws(Errno) {
            if let value = mark(try root.firstBytes(path, count: count)) {
                marks[path] = value
            } else {
                absences[path] = "\(path) has another form than is known"
            }
        } catch {
            absences[path] = HostRoot.reason(path, error)
        }
    }

    /// What changed since an earlier look.
    func signals(since earlier: GenerationMarks) -> [HostSignal] {
        marks.keys.sorted().compactMap { path in
            guard let before = earlier.marks[path], before != marks[path] else { return nil }
            let what =
                path == Self.clock
                ? "moved or restored" : path == Self.interrupts ? "restored" : "copied or restored"
            return HostSignal(.generation, "\(path) changed: the machine was \(what)")
        }
    }

    /// The line that a kernel since 5.18 writes when the identifier has changed.
    static func isReseeding(_ record: [UInt8]) -> Bool {
        String(decoding: record, as: UTF8.self)
            .holds("crng reseeded due to virtual machine fork")
    }
}

/// Pauses and steps, seen afterwards by the differences of clocks.
struct ClockJump {
    /// Less than this is drift or a slow thread.
    private static let thresholdNanoseconds: Int64 = 2_000_000_000

    /// What two readings tell; the second is the later.
    static func signals(_ first: ClockReading, _ second: ClockReading) -> [HostSignal] {
        let passed = second.monotonicNanoseconds - first.monotonicNanoseconds
        let slept = second.bootNanoseconds - first.bootNanoseconds - passed
        let stepped = second.realNanoseconds - first.realNanoseconds - passed - slept
        var signals: [HostSignal] = []
        if slept >= thresholdNanoseconds {
            signals.append(HostSignal(.clock, "the machine slept for \(seconds(slept)) s"))
        }
        if abs(stepped) >= thresholdNanoseconds {
            let what = "the time of day jumped by \(seconds(stepped)) s: restored, or set"
            signals.append(HostSignal(.clock, what))
        }
        return signals
    }

    private static func seconds(_ nanoseconds: Int64) -> Int64 {
        (nanoseconds + (nanoseconds < 0 ? -500_000_000 : 500_000_000)) / 1_000_000_000
    }
}
