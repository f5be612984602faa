internal import FootingAcceleration
internal import FootingSystem

/// What of a status is a metric, under which name.
enum MetricTable {
    enum Kind: String { case counter, gauge }
    enum Unit: String { case seconds, bytes, ratio }

    /// One value of a metric.
    struct Point {
        /// Labels beside the disk's, as the text has them.
        var labels: String?
        /// Where it is in a status.
        var path: [String]

        func value(_ status: JSONValue) -> JSONValue { path.reduce(status) { $0[$1] } }
    }

    struct Metric {
        let name: String
        let kind: Kind
        var unit: Unit?
        let help: String
        let points: [Point]
        /// How many of the status's units make one of the metric's.
        var scale = 1.0
    }

    static let requestKinds = [
        "read", "write", "flush", "trim", "writeZeroes", "blockStatus", "cache",
    ]

    static let all: [Metric] =
        clients + container + acceleration + space + upkeep + caches + memory

    private static let clients: [Metric] = [
        Metric(
            name: "footing_uptime_seconds",
            kind: .gauge,
            unit: .seconds,
            help: "Since the server began.",
            points: [Point(path: ["uptimeSeconds"])]
        ),
        Metric(
            name: "footing_disk_size_bytes",
            kind: .gauge,
            unit: .bytes,
            help: "What a client sees.",
            points: [Point(path: ["sizeBytes"])]
        ),
        Metric(
            name: "footing_connections",
            kind: .gauge,
            help: "Clients that are connected.",
            points: [Point(path: ["clients", "active"])]
        ),
        Metric(
            name: "footing_connections_accepted",
            kind: .counter,
            help: "Clients that connected.",
            points: [Point(path: ["clients", "total"])]
        ),
        Metric(
            name: "footing_connections_refused",
            kind: .counter,
            help: "Clients for whom there was no room.",
            points: [Point(path: ["clients", "refused"])]
        ),
        Metric(
            name: "footing_connections_limit",
            kind: .gauge,
            help: "Clients that may be connected at a time.",
            points: [Point(path: ["limits", "connections"])]
        ),
        Metric(
            name: "footing_bandwidth_limit_bytes",
            kind: .gauge,
            unit: .bytes,
            help: "Bytes that reads and writes may have in a second; none without a limit.",
            points: [Point(path: ["limits", "bandwidthBytesPerSecond"])]
        ),
        Metric(
            name: "footing_requests_held",
            kind: .counter,
            help: "Reads and writes that waited for the bandwidth.",
            points: [Point(path: ["clients", "heldRequests"])]
        ),
        Metric(
            name: "footing_held_seconds",
            kind: .counter,
            unit: .seconds,
            help: "Time that requests waited for the bandwidth, added up.",
            points: [Point(path: ["clients", "heldNanoseconds"])],
            scale: 1e9
        ),
        Metric(
            name: "footing_connections_broken",
            kind: .counter,
            help: "Clients that were cut off.",
            points: [Point(path: ["clients", "broken"])]
        ),
        Metric(
            name: "footing_requests_received",
            kind: .counter,
            help: "Requests of any kind.",
            points: [Point(path: ["clients", "requests"])]
        ),
        Metric(
            name: "footing_request_errors",
            kind: .counter,
            help: "Requests that were answered with an error.",
            points: requestKinds.map { byKind($0, "errors") }
        ),
        Metric(
            name: "footing_request_bytes",
            kind: .counter,
            unit: .bytes,
            help: "Bytes that requests without an error affected.",
            points: requestKinds.map { byKind($0, "bytes") }
        ),
    ]

    private static func byKind(_ kind: String, _ member: String) -> Point {
        Point(labels: "kind=\"\(kind)\"", path: ["requests", kind, member])
    }

    private static let container: [Metric] = [
        Metric(
            name: "footing_container_written_bytes",
            kind: .counter,
            unit: .bytes,
            help: "Bytes written to the container.",
            points: [
                ("log", "logBytes"), ("map", "mapBytes"), ("table", "tableBytes"),
                ("superblock", "superblockBytes"), ("prepared", "preparedBytes"),
            ].map {
                Point(labels: "part=\"\($0.0)\"", path: ["container", "written", $0.1])
            }
        ),
        Metric(
            name: "footing_write_amplification_ratio",
            kind: .gauge,
            unit: .ratio,
            help: "Bytes written to the container for each that clients wrote.",
            points: [Point(path: ["container", "writeAmplification"])]
        ),
        count("footing_blocks_read", "Blocks of 4096 bytes that clients read.", "blocksRead"),
        count(
            "footing_blocks_written",
            "Blocks of 4096 bytes that clients wrote.",
            "blocksWritten"
        ),
        count("footing_blocks_compressed", "Of those, how many shrank.", "compressedBlocks"),
        count("footing_blocks_moved", "Blocks that the collector moved.", "blocksMoved"),
        count("footing_blocks_rearranged", "Blocks put in order at rest.", "rearrangedBlocks"),
        Metric(
            name: "footing_returned_at_rest_bytes",
            kind: .counter,
            unit: .bytes,
            help: "Bytes that the host had back, unasked, after trims.",
            points: [Point(path: ["disk", "returnedAtRestBytes"])]
        ),
        count("footing_segments_collected", "Segments emptied.", "segmentsCollected"),
        count("footing_commits", "Commits to the log.", "commits"),
        count("footing_commits_refused", "Commits without memory.", "refusedCommits"),
        count("footing_synchronizations", "Flushes of the container.", "synchronizations"),
        count("footing_checkpoints", "Checkpoints of the map.", "checkpoints"),
        count("footing_reads_ahead", "Ranges read ahead.", "readsAhead"),
        count("footing_writes_throttled", "Writes that waited for space.", "throttledWrites"),
        Metric(
            name: "footing_throttled_seconds",
            kind: .counter,
            unit: .seconds,
            help: "Time that writes waited for space.",
            points: [Point(path: ["disk", "throttledNanoseconds"])],
            scale: 1e9
        ),
    ]

    private static func count(_ name: String, _ help: String, _ member: String) -> Metric {
        Metric(name: name, kind: .counter, help: help, points: [Point(path: ["disk", member])])
    }

    private static let acceleration: [Metric] = [
        Metric(
            name: "footing_acceleration_operations",
            kind: .counter,
            help: "Blocks that were compressed, encrypted, or brought back, and attempts.",
            points: accelerated("count")
        ),
        Metric(
            name: "footing_acceleration_bytes",
            kind: .counter,
            unit: .bytes,
            help: "Bytes that went into them.",
            points: accelerated("inputBytes")
        ),
        Metric(
            name: "footing_acceleration_failures",
            kind: .counter,
            help: "Those that were refused, as what does not authenticate.",
            points: accelerated("failures")
        ),
    ]

    private static func accelerated(_ member: String) -> [Point] {
        AccelerationOperation.allCases.map { operation in
            Point(
                labels: "operation=\"\(operation.name)\"",
                path: ["acceleration", operation.name, member]
            )
        }
    }

    private static let space: [Metric] = [
        bytes("footing_container_allocated_bytes", "Taken of the host.", "allocatedBytes"),
        bytes("footing_container_live_bytes", "What the map refers to.", "liveBytes"),
        bytes("footing_container_dead_bytes", "What the collector can win.", "deadBytes"),
        bytes("footing_container_pinned_bytes", "What snapshots keep.", "pinnedBytes"),
        bytes("footing_container_segment_bytes", "Size of a segment.", "segmentBytes"),
        Metric(
            name: "footing_segments",
            kind: .gauge,
            help: "Segments by what is in them.",
            points: ["free", "unallocated", "used"].map {
                Point(labels: "state=\"\($0)\"", path: ["container", "segments", $0])
            }
        ),
        Metric(
            name: "footing_segments_evacuated",
            kind: .gauge,
            help: "Used segments that were emptied and wait for a flush.",
            points: [Point(path: ["container", "segments", "evacuated"])]
        ),
        Metric(
            name: "footing_segments_quarantined",
            kind: .gauge,
            help: "Used segments of which a part cannot be read.",
            points: [Point(path: ["container", "segments", "quarantined"])]
        ),
        Metric(
            name: "footing_segments_wanted",
            kind: .gauge,
            help: "Free segments below which the collector works.",
            points: [Point(path: ["container", "segments", "wanted"])]
        ),
    ]

    private static let upkeep: [Metric] = [
        Metric(
            name: "footing_scrub_running",
            kind: .gauge,
            help: "1 while what is stored is being verified.",
            points: [Point(path: ["scrub", "running"])]
        ),
        Metric(
            name: "footing_scrub_verified_bytes",
            kind: .counter,
            unit: .bytes,
            help: "Bytes that were read to be verified.",
            points: [Point(path: ["scrub", "verifiedBytes"])]
        ),
        Metric(
            name: "footing_scrub_passes",
            kind: .counter,
            help: "Times that everything was verified.",
            points: [Point(path: ["scrub", "passes"])]
        ),
        Metric(
            name: "footing_scrub_damaged_blocks",
            kind: .gauge,
            help: "Blocks found damaged by the pass under way, or else by the last one.",
            points: [Point(path: ["scrub", "damagedBlocks"])]
        ),
        Metric(
            name: "footing_scrub_last_pass_damaged_blocks",
            kind: .gauge,
            help: "Blocks found damaged by the last pass that came to its end.",
            points: [Point(path: ["scrub", "lastPassDamagedBlocks"])]
        ),
    ]

    private static func bytes(_ name: String, _ help: String, _ member: String) -> Metric {
        Metric(
            name: name,
            kind: .gauge,
            unit: .bytes,
            help: help,
            points: [Point(path: ["container", member])]
        )
    }

    private static let caches: [Metric] = [
        cached("footing_cache_hits", "Blocks and map pages found.", "hits"),
        cached("footing_cache_misses", "Blocks and map pages that were read.", "misses"),
        cached("footing_cache_insertions", "Taken in.", "insertions"),
        cached("footing_cache_evictions", "Given up for others or a smaller budget.", "evictions"),
    ]

    private static func cached(_ name: String, _ help: String, _ member: String) -> Metric {
        Metric(
            name: name,
            kind: .counter,
            help: help,
            points: [("blocks", "blockCache"), ("map", "mapCache")].map {
                Point(labels: "cache=\"\($0.0)\"", path: ["disk", $0.1, member])
            }
        )
    }

    private static let parts = [
        "blockCache", "mapCache", "commits", "changes", "tables", "work",
    ]

    private static let memory: [Metric] = [
        Metric(
            name: "footing_memory_budget_bytes",
            kind: .gauge,
            unit: .bytes,
            help: "What the disk may use.",
            points: [Point(path: ["memory", "budgetBytes"])]
        ),
        Metric(
            name: "footing_memory_floor_bytes",
            kind: .gauge,
            unit: .bytes,
            help: "What it cannot do without.",
            points: [Point(path: ["memory", "floorBytes"])]
        ),
        Metric(
            name: "footing_memory_used_bytes",
            kind: .gauge,
            unit: .bytes,
            help: "What it uses.",
            points: parts.map {
                Point(labels: "part=\"\($0)\"", path: ["memory", $0, "usedBytes"])
            }
        ),
        Metric(
            name: "footing_memory_decisions",
            kind: .counter,
            help: "Changes of the budget under pressure.",
            points: [Point(path: ["pressure", "decisionCount"])]
        ),
        Metric(
            name: "footing_balloon_bytes",
            kind: .gauge,
            unit: .bytes,
            help: "Memory that the host took back.",
            points: [("current", "currentBalloonBytes"), ("target", "targetBalloonBytes")].map {
                Point(labels: "state=\"\($0.0)\"", path: ["pressure", "balloon", $0.1])
            }
        ),
        Metric(
            name: "footing_memory_stall_ratio",
            kind: .gauge,
            unit: .ratio,
            help: "Share of the time in which work waited for memory.",
            points: [("machine", "memory"), ("group", "controlGroup")].map {
                Point(labels: "of=\"\($0.0)\"", path: ["pressure", $0.1, "stallPercent"])
            },
            scale: 100
        ),
    ]
}
