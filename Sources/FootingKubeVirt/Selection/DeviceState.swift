public import FootingSystem

/// What is known of a device node of a hypervisor, `/dev/mshv` or `/dev/kvm`.
public enum DeviceState: Sendable, Hashable {
    /// It is there.
    case present
    /// It is neither there nor among the node's misc devices.
    case absent
    /// It is not there, but `/proc/misc` lists it: the node has it, and this container was not
    /// given it. A sidecar never is.
    case onNode(minor: UInt32)
    /// Something else has its name.
    case notADevice
    /// Whether it is there cannot be told: the kernel refuses the question.
    case unreadable(Errno)

    /// Looks for a device by its name.
    ///
    /// As KubeVirt does (`os.Stat("/dev/" + name)` in `pkg/virt-launcher/virtwrap/manager.go`): the
    /// device is not opened, and only its absence is one; any other error is told apart from it.
    public init(_ name: String, root: HostRoot) {
        do throws(Errno) {
            let status = try root.status("dev/\(name)")
            // Of a recorded machine a device node may be an empty file.
            let isDevice = status.kind == .other || !root.isLive && status.kind == .regular
            self = isDevice ? .present : .notADevice
        } catch {
            switch error {
            case .noSuchFile, .notDirectory:
                let minor = Self.minor(name, root: root)
                self = minor.map { .onNode(minor: $0) } ?? .absent
            default: self = .unreadable(error)
            }
        }
    }

    /// Its number in `/proc/misc`: lines such as ` 119 mshv`.
    private static func minor(_ name: String, root: HostRoot) -> UInt32? {
        guard let text = try? root.text("proc/misc") else { return nil }
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[1] == name { return UInt32(words[0]) }
        }
        return nil
    }

    /// One word for machines.
    public var code: String {
        switch self {
        case .present: "present"
        case .absent: "absent"
        case .onNode: "on-node"
        case .notADevice: "not-a-device"
        case .unreadable: "unreadable"
        }
    }

    /// In words, behind "/dev/mshv".
    public var explanation: String {
        switch self {
        case .present: "is there"
        case .absent: "is not there"
        case .onNode(let minor):
            "is a device of the node (minor \(minor) in /proc/misc), but not in this container"
        case .notADevice: "is no character device"
        case .unreadable(let error): "cannot be looked at: \(error)"
        }
    }
}
