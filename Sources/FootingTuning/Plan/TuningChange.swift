public import FootingHost
public import FootingSystem

/// One thing that could be different, and everything that speaks for and against it.
public struct TuningChange: Sendable {
    /// What would be changed.
    public enum Target: Sendable, Hashable {
        /// An attribute of a disk's queue (`/sys/block/*/queue`, sysfs-block).
        case queue(device: String, attribute: QueueAttribute)
        /// A setting of the whole machine (`/proc/sys/vm`).
        case machine(MachineAttribute)
        /// A word of the kernel's command line.
        case boot(parameter: String)
        /// An option of a mounted file system.
        case mount(point: String, option: String)
        /// An attribute of a file that is still to be made.
        case file(path: String, attribute: String)
        /// An attribute of a disk's file.
        case container(FileIdentity, FileAttribute)

        /// `vda queue/scheduler`, `vm.dirty_bytes`, ...
        public var text: String {
            switch self {
            case .queue(let device, let attribute): "\(device) queue/\(attribute.rawValue)"
            case .machine(let attribute): attribute.text
            case .boot(let parameter): parameter
            case .mount(let point, let option): "\(point) \(option)"
            case .file(let path, let attribute): "\(path) \(attribute)"
            case .container(let file, let attribute): "\(file.path) \(attribute.rawValue)"
            }
        }

        /// `queue`, `machine`, `boot`, `mount`, `file` or `container`.
        var kind: String {
            switch self {
            case .queue: "queue"
            case .machine: "machine"
            case .boot: "boot"
            case .mount: "mount"
            case .file: "file"
            case .container: "container"
            }
        }

        /// Whether it takes effect at once, and `footing apply` can make it.
        var isRunTime: Bool {
            switch self {
            case .queue, .machine, .container: true
            case .boot, .mount, .file: false
            }
        }
    }

    /// What the change itself may do.
    public enum Risk: String, Sendable {
        /// It takes effect at once, and goes at once.
        case none
        /// The file system must be mounted anew.
        case needsRemount = "needs remount"
        /// The machine must be started again.
        case needsReboot = "needs reboot"
    }

    /// The rule that asks for it.
    public let rule: String
    /// Whether the profile, or the user, asked for that rule.
    public let isChosen: Bool
    /// What would be changed.
    public let target: Target
    /// The value that is there; nil where none is, or none can be seen.
    public let present: String?
    /// The value that would be there.
    public let proposed: String
    /// Why, in one sentence.
    public let reason: String
    /// What the machine says that the reason rests on.
    public let evidence: [Evidence]
    /// Where the reason is from: a document or a measurement.
    public let source: String
    /// What is expected of it.
    public let effect: String
    /// What the change itself may do.
    public let risk: Risk
    /// How it is undone.
    public let undo: String

    /// A member of the plan's document.
    public var json: JSONValue {
        [
            "rule": .string(rule), "isChosen": .bool(isChosen),
            "target": ["kind": .string(target.kind), "text": .string(target.text)],
            "present": present.map { .string($0) } ?? .null, "proposed": .string(proposed),
            "reason": .string(reason), "source": .string(source), "effect": .string(effect),
            "risk": .string(risk.rawValue), "undo": .string(undo),
            "evidence": .array(
                evidence.map {
                    [
                        "source": .string($0.source), "value": .string($0.value),
                        "says": .string($0.says),
                    ]
                }
            ),
        ]
    }
}

/// What of a disk's queue is ever written, or changes with what is written.
///
/// `write_cache` is missing on purpose: writing it changes what the kernel believes, not what the
/// device does, and a kernel that believes in no cache no longer asks for flushes.
public enum QueueAttribute: String, Sendable, CaseIterable {
    case scheduler
    case requests = "nr_requests"
    case readAhead = "read_ahead_kb"
    case completionAffinity = "rq_affinity"
    case merging = "nomerges"
    case writeBackLatency = "wbt_lat_usec"
    case rotational
    case randomness = "add_random"
    case timeout = "io_timeout"
    /// Only ever restored: it moves with the scheduler and the number of requests (Linux 7.0; a
    /// scheduler's own before).
    case asyncDepth = "async_depth"

    /// The value in an attribute's text: of `mq-deadline [none]` it is `none`.
    public func value(_ text: String) -> String {
        guard self == .scheduler, let open = text.utf8.firstIndex(of: UInt8(ascii: "[")),
            let close = text.utf8.lastIndex(of: UInt8(ascii: "]")), open < close
        else { return text }
        return String(text[text.utf8.index(after: open)..<close])
    }
}

/// What of the whole machine is ever written, or changes with what is written.
///
/// Of each pair of bytes and ratio the kernel makes one 0 when the other is written
/// (Documentation/admin-guide/sysctl/vm.rst).
public enum MachineAttribute: String, Sendable, CaseIterable {
    case dirtyBytes = "dirty_bytes"
    case dirtyRatio = "dirty_ratio"
    case dirtyBackgroundBytes = "dirty_background_bytes"
    case dirtyBackgroundRatio = "dirty_background_ratio"

    /// As `sysctl(8)` names it.
    var text: String { "vm.\(rawValue)" }

    /// Its file, from the root.
    public var path: String { "proc/sys/vm/\(rawValue)" }
}
