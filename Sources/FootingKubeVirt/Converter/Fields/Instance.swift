/// A VirtualMachineInstance, as far as its domain depends on it.
struct Instance {
    var name: String
    var namespace: String
    /// What the sockets' paths are made of; empty until the cluster has given one.
    var uid: String
    var annotations: [String: String]
    var architecture: Architecture?
    var startsPaused: Bool
    var resources: ResourceFields
    var processor: ProcessorFields?
    var memory: MemoryFields?
    var machineType: String?
    var firmware: FirmwareFields?
    var chassis: [(name: String, value: String)]?
    var clock: ClockFields?
    var features: FeatureFields?
    var launchSecurity: LaunchSecurityFields?
    var rebootPolicy: String?
    var ioThreadsPolicy: IOThreadsPolicy?
    var supplementalThreads: Int?
    var devices: DeviceFields
    var volumes: [VolumeFields]
    var networks: [String]
    var status: StatusFields

    enum IOThreadsPolicy: String { case shared, auto, supplementalPool }

    /// Whether an annotation says `true`, as upstream compares it.
    func isAnnotated(_ name: String, ignoringCase: Bool = false) -> Bool {
        guard let value = annotations[name] else { return false }
        return (ignoringCase ? value.lowercased() : value) == "true"
    }

    var isDedicated: Bool { processor?.isDedicated ?? false }

    /// Whether it is made for speed, which turns off what costs some: `IsHighPerformanceVMI`.
    var isHighPerformance: Bool {
        isDedicated || processor?.isRealtime == true || memory?.hugePageSize != nil
    }

    var sharesMemory: Bool {
        devices.filesystems.isEmpty == false
            || devices.interfaces.contains { $0.binding == .passt }
    }
}

/// What a running instance's status says of its domain.
struct StatusFields {
    var vsockCID: Int?
    var runtimeUser: Int?
    /// The device names that volumes have already.
    var targets: [String: String] = [:]
}

/// An architecture by Kubernetes' name.
enum Architecture: String, CaseIterable {
    case amd64, arm64, s390x

    /// libvirt's name.
    var libvirtName: String {
        switch self {
        case .amd64: "x86_64"
        case .arm64: "aarch64"
        case .s390x: "s390x"
        }
    }

    var machineType: String {
        switch self {
        case .amd64: "q35"
        case .arm64: "virt"
        case .s390x: "s390-ccw-virtio"
        }
    }

    var isPCI: Bool { self != .s390x }

    /// NUMA cells in the guest, which shared and huge memory by memfd need.
    var hasMemoryFiles: Bool { self != .s390x }

    func virtioModel(isTransitional: Bool) -> String {
        guard isPCI else { return "virtio" }
        return isTransitional ? "virtio-transitional" : "virtio-non-transitional"
    }
}
