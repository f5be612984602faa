import FootingSystem

/// How a store asks its device.
public enum InputOutputMode: String, Sendable, CaseIterable {
    /// By io_uring where the kernel lets it, otherwise by plain system calls.
    case auto
    /// By io_uring, or not at all.
    case ring = "io_uring"
    /// By plain system calls, with a thread for each read that waits.
    case threads
}

/// How a store came to ask its device, and why.
public struct InputOutput: Sendable, Equatable {
    /// ``InputOutputMode/ring`` or ``InputOutputMode/threads``.
    public let mode: InputOutputMode
    /// Why reads do not go by io_uring, for people; nil where they do or were not meant to.
    public let reason: String?

    /// What a store is that has no device.
    public static let plain = InputOutput(mode: .threads, reason: nil)

    static let ring = InputOutput(mode: .ring, reason: nil)

    init(mode: InputOutputMode, reason: String?) {
        self.mode = mode
        self.reason = reason
    }

    /// What kept a ring from being made, in words.
    init(refusal error: Errno) {
        let reason =
            switch error {
            case .notImplemented: "the kernel has no io_uring, or one from before 5.11"
            case .notPermitted, .permissionDenied:
                "io_uring is forbidden (seccomp, or sysctl kernel.io_uring_disabled)"
            case .noMemory: "there is no memory for io_uring, or too little may be locked"
            default: "io_uring cannot be used"
            }
        self.init(mode: .threads, reason: "\(reason): \(error)")
    }
}
