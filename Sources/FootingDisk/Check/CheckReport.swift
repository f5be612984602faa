/// Something that is wrong with a container, or worth knowing.
public struct CheckFinding: Sendable, Equatable, CustomStringConvertible {
    /// How bad it is.
    public enum Severity: String, Sendable, Comparable {
        /// Worth knowing; nothing is lost and nothing needs to be done.
        case note
        /// Redundancy is gone, or a number is wrong that the next checkpoint does not correct.
        case warning
        /// Data is lost, or the disk cannot be opened.
        case error

        /// By how bad it is.
        public static func < (left: Severity, right: Severity) -> Bool {
            left.rank < right.rank
        }

        private var rank: Int {
            switch self {
            case .note: 0
            case .warning: 1
            case .error: 2
            }
        }
    }

    /// How bad it is.
    public let severity: Severity
    /// The structure and what is wrong with it.
    public let what: String
    /// Byte offset in the container.
    public let offset: UInt64
    /// What follows from it for the disk's user.
    public let consequence: String

    /// One line.
    public var description: String {
        "\(severity.rawValue): \(what) at byte \(offset): \(consequence)"
    }
}

/// What a check of a container found.
public struct CheckReport: Sendable, Equatable {
    /// What is wrong, in the order in which it was found.
    public internal(set) var findings: [CheckFinding] = []
    /// Findings beyond ``findingCountMax``, which are not listed.
    public internal(set) var omittedFindingCount = 0
    /// Whether the disk was closed cleanly.
    public internal(set) var wasClean = false
    /// Commits in the log since the last checkpoint.
    public internal(set) var commitCount = 0
    /// Pages of the map.
    public internal(set) var mapPageCount: UInt64 = 0
    /// Blocks that hold data.
    public internal(set) var blockCount: UInt64 = 0
    /// Snapshots whose trees were verified.
    public internal(set) var snapshotCount = 0
    /// Bytes read and verified.
    public internal(set) var bytesVerified: UInt64 = 0

    /// What is being checked, put before each finding.
    var context = ""

    /// Most findings that are listed.
    public static let findingCountMax = 1000

    /// The worst severity; nil if there is no finding.
    public var worst: CheckFinding.Severity? { findings.map { $0.severity }.max() }

    mutating func add(
        _ severity: CheckFinding.Severity,
        _ what: String,
        at offset: UInt64,
        _ consequence: String
    ) {
        guard findings.count < Self.findingCountMax else {
            omittedFindingCount += 1
            return
        }
        findings.append(
            CheckFinding(
                severity: severity,
                what: context + what,
                offset: offset,
                consequence: consequence
            )
        )
    }
}

/// How far a check has come.
public struct CheckProgress: Sendable, Equatable {
    /// Bytes verified.
    public let bytesDone: UInt64
    /// Bytes to verify, as far as is known.
    public let bytesTotal: UInt64
}
