import FootingSystem
import Glibc
import Testing

/// What guests are made of, as `Scripts/guests.sh` and `Scripts/release.sh` leave it.
enum GuestKit {
    /// Something that a test needs and that a machine may lack.
    enum Part: String {
        case emulator = "/usr/bin/qemu-system-x86_64"
        case shell = "/bin/busybox"
        case program = "bin/footing"
        case initialProcess = ".build/guests/init"
        case memory = ".build/guests/memory"
        case load = ".build/guests/load"
        case durable = ".build/guests/durable"
        case attributes = ".build/guests/attributes"
        case files = ".build/guests/files"
        case cloudKernel = ".build/guests/cloud/complete"
        case genericKernel = ".build/guests/generic/complete"
        case xen = ".build/guests/xen/complete"

        /// The file that shows that it is there.
        var path: String { rawValue.hasPrefix("/") ? rawValue : "\(project)/\(rawValue)" }

        /// What to do where it is missing.
        var remedy: Comment {
            switch self {
            case .emulator: "qemu-system-x86 is missing: run 'make deps'"
            case .shell: "busybox-static is missing: run 'make deps'"
            case .program: "bin/footing is missing: run 'make release'"
            case .initialProcess: "the guests' init is missing: run 'Scripts/guests.sh'"
            case .memory: "the guests' memory is missing: run 'Scripts/guests.sh'"
            case .load: "the guests' load is missing: run 'Scripts/guests.sh'"
            case .attributes: "the guests' attributes is missing: run 'Scripts/guests.sh'"
            case .files: "the guests' files is missing: run 'Scripts/guests.sh'"
            case .durable: "the guests' durable is missing: run 'Scripts/guests.sh'"
            case .cloudKernel: "linux-image-cloud-amd64 is missing: run 'Scripts/guests.sh'"
            case .genericKernel: "linux-image-amd64 is missing: run 'Scripts/guests.sh'"
            case .xen: "xen-hypervisor-4.17-amd64 is missing: run 'Scripts/guests.sh'"
            }
        }

        var isThere: Bool { unsafe access(path, R_OK) == 0 }
    }

    /// The folder of the project that these tests belong to.
    static let project =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4)
        .joined(separator: "/")

    /// Where the kernels are.
    static let folder = "\(project)/.build/guests"
}

extension Trait where Self == ConditionTrait {
    /// Skips by name what a machine lacks: what every guest needs, unless more is asked for.
    static func needs(_ part: GuestKit.Part) -> Self {
        .enabled(if: part.isThere, part.remedy)
    }

    /// Skips by name what tests of a guest's memory lack.
    static var needsMemoryTools: Self {
        let parts: [GuestKit.Part] = [
            .emulator, .shell, .program, .initialProcess, .memory, .load, .cloudKernel,
        ]
        let remedies = parts.filter { !$0.isThere }.map(\.remedy.rawValue)
        return .enabled(if: remedies.isEmpty, Comment(rawValue: remedies.joined(separator: "; ")))
    }
}
