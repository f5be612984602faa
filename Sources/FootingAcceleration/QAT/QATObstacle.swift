internal import FootingHost
public import FootingSystem
internal import Glibc

/// The first thing that keeps QAT from being used, and what to do about it.
///
/// A ladder: what comes first has to be there before the rest makes sense. All but the last three
/// steps are read from sysfs and from the limits of this process, before any library is loaded.
public struct QATObstacle: Sendable, Equatable {
    /// The steps, in order.
    public enum Step: String, Sendable, CaseIterable {
        /// It was not asked for.
        case configuration
        /// A PCI function with the id of one.
        case device
        /// A generation that QATlib drives: 4xxx and newer.
        case generation
        /// A driver for the device.
        case driver
        /// The device is up.
        case up
        /// It is configured for compression or symmetric encryption.
        case service
        /// It has virtual functions.
        case virtualFunctions = "virtual-functions"
        /// There is an IOMMU.
        case iommu
        /// A virtual function is bound to `vfio-pci`.
        case binding
        /// This process may open the group's node, `/dev/vfio/N`.
        case permission
        /// This process may lock the memory that a device needs (`RLIMIT_MEMLOCK`).
        case memory
        /// `libqat.so.4` and `libusdm.so.0` can be loaded.
        case library
        /// The library starts, and an instance answers rightly.
        case start
    }

    /// The step that is missing.
    public let step: Step
    /// What was found.
    public let problem: String
    /// What to do about it; empty if there is nothing to do.
    public let remedy: String

    /// The problem and the remedy.
    public var text: String { remedy.isEmpty ? problem : "\(problem): \(remedy)" }

    /// What this process may do.
    struct Permissions: Sendable {
        /// Whether a path below the root may be read and written.
        let mayUse: @Sendable (String) -> Bool
        /// Bytes that may be locked; nil if there is no limit.
        let lockedBytesMaximum: UInt64?

        /// Those of the running process.
        static func live() -> Permissions {
            var limit = rlimit()
            unsafe getrlimit(__rlimit_resource_t(8), &limit)
            let isUnlimited = limit.rlim_cur == rlim_t.max || Self.mayLockAnything()
            return Permissions(
                mayUse: { unsafe faccessat(AT_FDCWD, "/\($0)", R_OK | W_OK, AT_EACCESS) == 0 },
                lockedBytesMaximum: isUnlimited ? nil : UInt64(limit.rlim_cur)
            )
        }

        /// `CAP_IPC_LOCK`, as `/proc/self/status` has it.
        private static func mayLockAnything() -> Bool {
            guard let text = try? HostRoot().text("proc/self/status") else { return false }
            for line in text.utf8.split(separator: UInt8(ascii: "\n"))
            where line.starts(with: "CapEff:".utf8) {
                let digits = String(Substring(line.dropFirst(7))).filter { !$0.isWhitespace }
                return (UInt64(digits, radix: 16) ?? 0) >> 14 & 1 == 1
            }
            return false
        }
    }

    /// What QATlib locks for each virtual function.
    private static let functionBytes: UInt64 = 16 << 20

    /// The first that is missing before the library is loaded; nil if nothing is.
    public static func first(root: HostRoot, configuration: QATConfiguration) -> QATObstacle? {
        guard configuration.use != .off else {
            return QATObstacle(step: .configuration, problem: "off", remedy: "")
        }
        return first(
            QATDevice.all(in: root),
            configuration,
            root.isLive ? Permissions.live() : nil
        )
    }

    /// The same from what is known; without permissions, of a machine that is replayed.
    static func first(
        _ devices: [QATDevice],
        _ configuration: QATConfiguration,
        _ permissions: Permissions?
    ) -> QATObstacle? {
        guard !devices.isEmpty else {
            return QATObstacle(step: .device, problem: "no QAT device", remedy: "")
        }
        let usable = devices.filter { $0.isVirtualFunction && $0.condition == .ready }
        guard !usable.isEmpty else { return inSysfs(devices) }
        guard let permissions else {
            return QATObstacle(
                step: .library,
                problem: "a recorded machine has no device that could be started",
                remedy: ""
            )
        }
        let groups = usable.compactMap(\.iommuGroup.value)
        if let group = groups.first,
            !groups.contains(where: { permissions.mayUse("dev/vfio/\($0)") })
        {
            return QATObstacle(
                step: .permission,
                problem: "this user may not open /dev/vfio/\(group)",
                remedy: "usermod -aG qat USER, and log in again"
            )
        }
        let services = configuration.encrypts ? 2 : 1
        let requests = configuration.instanceMaximum * configuration.depth * services
        let wanted =
            UInt64(usable.count) * functionBytes
            + UInt64(requests * configuration.blockBytesMaximum * 5 / 2)
        if let limit = permissions.lockedBytesMaximum, limit < wanted {
            return QATObstacle(
                step: .memory,
                problem: "this process may lock \(limit >> 20) MiB, \(wanted >> 20) are needed",
                remedy: "LimitMEMLOCK=\(wanted >> 20)M in the unit, or ulimit -l"
            )
        }
        return nil
    }

    /// The lowest step at which a device stands, with its slot.
    private static func inSysfs(_ devices: [QATDevice]) -> QATObstacle {
        // A physical function that is ready has functions, of which none is.
        let standing = devices.map { device in (device, step(device.condition)) }
        let order = Step.allCases
        let lowest = standing.filter { $0.1 != nil }.max { first, second in
            (first.1.flatMap { order.firstIndex(of: $0) } ?? 0)
                < (second.1.flatMap { order.firstIndex(of: $0) } ?? 0)
        }
        guard let (device, step) = lowest, let step else {
            return QATObstacle(
                step: .binding,
                problem: "no virtual function of \(devices[0].slot) is to be seen here",
                remedy: "pass one through, or restart qat.service"
            )
        }
        return QATObstacle(
            step: step,
            problem: "\(device.slot) (\(device.family)): \(device.condition.rawValue)",
            remedy: device.remedy
        )
    }

    private static func step(_ condition: QATDevice.Condition) -> Step? {
        switch condition {
        case .unsupported: .generation
        case .noDriver: .driver
        case .down: .up
        case .noService: .service
        case .noVirtualFunction: .virtualFunctions
        case .noIOMMU: .iommu
        case .wrongDriver: .binding
        case .ready: nil
        }
    }
}
