import FootingSystem
import Glibc

/// A guest with a balloon and a disk, whose memory is taken while it serves.
final class SqueezedGuest {
    static let mebibyte = 1 << 20
    static let socket = "/tmp/disk.sock"

    let guest: Guest

    /// Boots it.
    ///
    /// - Parameters:
    ///   - memoryMebibytes: all of the guest's memory.
    ///   - balloon: properties of the balloon's device.
    ///   - other: the file that a second disk begins with.
    ///   - emptyMebibytes: the size of an empty container instead of a filled one.
    init(
        memoryMebibytes: Int = 1024,
        balloon: String = "free-page-reporting=on",
        other: String? = nil,
        emptyMebibytes: UInt64? = nil
    ) throws {
        let container =
            try emptyMebibytes.map { .init(name: "container", sizeMebibytes: $0) }
            ?? Machine.Disk(name: "container", original: FilledContainer.path())
        guest = try Guest(
            Machine(
                memoryMebibytes: memoryMebibytes,
                // Without vectors, which cost the emulator more than they save.
                processor: "max,-erms,-avx,-avx2",
                options: [
                    "-device", "virtio-balloon-pci,id=balloon,\(balloon)",
                    "-device", "virtio-blk-pci,drive=container",
                    "-device", "virtio-blk-pci,drive=other",
                ],
                disks: [
                    container,
                    other.map { .init(name: "other", original: $0) }
                        ?? .init(name: "other", sizeMebibytes: 1),
                ],
                modules: ["virtio_pci", "virtio_blk", "virtio_balloon"],
                programs: [.memory, .load]
            )
        )
        try guest.awaitPaths("/dev/vd[ab]", count: 2)
    }

    /// Serves the disk in the background.
    ///
    /// - Parameters:
    ///   - options: more words for `footing serve`.
    ///   - group: the limits of a control group of its own, by file.
    func serve(_ options: String = "", group: [String: String] = [:]) throws {
        var script = ""
        if !group.isEmpty {
            script += "cd /sys/fs/cgroup; echo +memory >cgroup.subtree_control; mkdir disk; "
            for (file, value) in group { script += "echo \(value) >disk/\(file); " }
            script += "cd /tmp; "
        }
        let enter = group.isEmpty ? "" : "echo 0 >/sys/fs/cgroup/disk/cgroup.procs; "
        script += """
            ( \(enter)exec footing serve /dev/vda --socket=\(Self.socket) \(options) ) \
            >/tmp/serve.log 2>&1 & echo $! >/tmp/serve.pid; \
            until busybox grep -q ^ready /tmp/serve.log; do \
            kill -0 $! || busybox cat /tmp/serve.log; busybox usleep 20000; done
            """
        try guest.shell(script, limitSeconds: 60)
    }

    /// Runs a load to its end.
    @discardableResult
    func load(_ words: String, limitSeconds: Int = 60) throws -> LoadResult {
        LoadResult(try guest.shell("load \(Self.socket) \(words)", limitSeconds: limitSeconds))
    }

    /// Starts a load in the background; ``endedLoad(limitSeconds:)`` waits for it.
    func startLoad(_ words: String) throws {
        try guest.shell(
            """
            ( load \(Self.socket) \(words) & echo $! >/tmp/load.pid; \
            wait $! || echo status $?; echo ended ) >/tmp/load.log 2>&1 &
            """
        )
    }

    /// How far the load in the background has come, and what the emulator has used for it.
    func loadProgress(atLeast wanted: Int, limitSeconds: Int = 30) throws -> LoadProgress {
        let quarters = try loadQuarters(atLeast: wanted, limitSeconds: limitSeconds)
        return LoadProgress(quarters: quarters, milliseconds: try guest.emulatorMilliseconds())
    }

    /// Ends the load in the background before its time; it still says what it did.
    func stopLoad() throws {
        try guest.shell("kill -TERM $(busybox cat /tmp/load.pid) || true")
    }

    /// Waits until the load in the background has gone on for so many quarters of a second.
    ///
    /// - Returns: how many it has gone on for; fewer than wanted if the time was over before.
    @discardableResult
    func loadQuarters(atLeast wanted: Int = 0, limitSeconds: Int = 30) throws -> Int {
        let deadline = Deadline.after(seconds: limitSeconds)
        while true {
            let text = try guest.shell("busybox grep -c '^at ' /tmp/load.log || true")
            let count = Int(text.split(separator: "\n").first ?? "") ?? 0
            if count >= wanted || deadline.milliseconds == 0 { return count }
            usleep(250_000)
        }
    }

    /// What the load in the background did, once it has ended.
    func endedLoad(limitSeconds: Int) throws -> LoadResult {
        LoadResult(
            try guest.shell(
                """
                until busybox grep -q ^ended /tmp/load.log; do busybox usleep 50000; done; \
                busybox cat /tmp/load.log
                """,
                limitSeconds: limitSeconds
            )
        )
    }

    /// Watches the server, the balloon and what is available in the background, every 20 ms.
    func startWatch(seconds: Int) throws {
        try guest.shell(
            "memory watch $(busybox cat /tmp/serve.pid) \(seconds) >/tmp/watch.log 2>&1 &"
        )
    }

    /// What was seen until now.
    func watched() throws -> [WatchRow] {
        try guest.shell("busybox cat /tmp/watch.log").split(separator: "\n").compactMap { line in
            let numbers = line.split(separator: " ").compactMap { Int($0) }
            // The last line may not be all there yet.
            guard numbers.count == 5 else { return nil }
            return WatchRow(
                milliseconds: numbers[0],
                heldKibibytes: numbers[1],
                balloonPages: numbers[2],
                availableKibibytes: numbers[3]
            )
        }
    }

    /// What the server decided on its memory, and why.
    func decisions() throws -> String {
        let statuses = try JSONValue(guest.shell("footing status --json"))
        let decisions = statuses["disks"]?.array.first?["pressure"]?["decisions"]
        return (decisions?.array ?? []).map { $0.text() }.joined(separator: "\n")
    }

    /// Whether the server still runs: one that was killed has no memory, even before it is reaped.
    func isServing() throws -> Bool {
        let script = "busybox grep -q ^VmRSS: /proc/$(busybox cat /tmp/serve.pid)/status"
        return try guest.run("/bin/busybox", "sh", "-c", script).status == 0
    }

    /// Asks the guest for all of its memory but so much.
    func ask(forMebibytes wanted: Int) throws {
        try guest.qmp.execute("balloon", ["value": JSONValue(UInt64(wanted * Self.mebibyte))])
    }

    /// Sets the size of the guest's memory, and waits until the guest has it.
    ///
    /// - Returns: the size in the end, in MiB, and how long that took.
    func resize(
        toMebibytes wanted: Int,
        limitSeconds: Int
    ) throws -> (mebibytes: Int, milliseconds: Int) {
        let start = SystemClock().nanoseconds
        try ask(forMebibytes: wanted)
        let deadline = Deadline.after(seconds: limitSeconds)
        var actual = 0
        repeat {
            usleep(20_000)
            actual = (try guest.qmp.execute("query-balloon")["actual"]?.integer ?? 0)
            actual /= Self.mebibyte
        } while actual != wanted && deadline.milliseconds > 0
        return (actual, Int((SystemClock().nanoseconds - start) / 1_000_000))
    }

    /// Processes that the kernel killed for want of memory.
    func kills() throws -> [String] {
        try guest.shell("busybox dmesg | busybox grep 'Killed process' || true")
            .split(separator: "\n").map { String($0) }
    }

    /// Microseconds in which something waited for memory, since the start (`/proc/pressure`).
    func stallMicroseconds() throws -> Int {
        let text = try guest.shell("busybox cat /proc/pressure/memory")
        let words = text.split(whereSeparator: { $0 == "=" || $0.isWhitespace })
        guard let at = words.firstIndex(of: "total"),
            let total = words.dropFirst(at + 1).first.flatMap({ Int($0) })
        else {
            throw GuestError("no pressure: \(text)")
        }
        return total
    }

    /// What the server has in memory, in bytes.
    func serverBytes() throws -> Int {
        let text = try guest.shell(
            """
            busybox sed -n 's/^Rss: *\\([0-9]*\\) kB/\\1/p' \
            /proc/$(busybox cat /tmp/serve.pid)/smaps_rollup
            """
        )
        guard let kibibytes = Int(text.split(separator: "\n").first ?? "") else {
            throw GuestError("no size of the server: \(text)")
        }
        return kibibytes << 10
    }

    /// The same, in MiB.
    func serverMebibytes() throws -> Int { try serverBytes() / Self.mebibyte }

    /// The same once it is as one wants it, or as it is when the time is over.
    func serverMebibytes(limitSeconds: Int, until isReached: (Int) -> Bool) throws -> Int {
        let deadline = Deadline.after(seconds: limitSeconds)
        while true {
            let held = try serverMebibytes()
            if isReached(held) || deadline.milliseconds == 0 { return held }
            usleep(250_000)
        }
    }
}

/// A point on the way of a load.
struct LoadProgress {
    /// Quarters of a second that it has gone on for.
    let quarters: Int
    /// What the emulator had of processors.
    let milliseconds: Int
}

/// What `Init/memory.c` saw of the server and the balloon, in the guest's own time.
struct WatchRow {
    let milliseconds: Int
    let heldKibibytes: Int
    let balloonPages: Int
    let availableKibibytes: Int

    /// How long after the balloon's first growth nine tenths of the deficit had been released, and
    /// what part of its growth the balloon had made by then.
    ///
    /// The deficit is what the balloon was to take beyond what was available when it began to.
    static func release(_ rows: [WatchRow]) -> (milliseconds: Int, part: Double)? {
        guard let start = rows.first, let end = rows.map(\.balloonPages).max(),
            let growth = rows.first(where: { $0.balloonPages > start.balloonPages })
        else { return nil }
        let deficit = (end - growth.balloonPages) * 4 - growth.availableKibibytes
        guard deficit > 0,
            let late = rows.first(where: {
                $0.heldKibibytes * 10 <= start.heldKibibytes * 10 - deficit * 9
            })
        else { return nil }
        let grown = Double(late.balloonPages - start.balloonPages)
        return (
            late.milliseconds - growth.milliseconds, grown / Double(end - start.balloonPages)
        )
    }
}

/// What `Init/load.c` printed.
struct LoadResult {
    /// Requests in each quarter of a second.
    let quarters: [Int]

    /// Requests for each second of the emulator's between two points: what else this machine does
    /// takes time from the guest, but not from this.
    func rate(_ from: LoadProgress, _ to: LoadProgress) throws -> Int {
        guard from.quarters < to.quarters, to.quarters <= quarters.count,
            from.milliseconds < to.milliseconds
        else { throw GuestError("the load did not go on: \(from), \(to), \(quarters.count)") }
        let requests = quarters[from.quarters..<to.quarters].reduce(0, +)
        return requests * 1000 / (to.milliseconds - from.milliseconds)
    }

    let requests: Int
    let errors: Int
    let longestMilliseconds: Int

    init(_ text: String) {
        var quarters: [Int] = []
        var end = [-1, -1, -1]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.first == "at", words.count == 3 { quarters.append(Int(words[2]) ?? 0) }
            if words.first == "done", words.count == 6 {
                end = [1, 3, 5].map { Int(words[$0]) ?? -1 }
            }
        }
        self.quarters = quarters
        (requests, errors, longestMilliseconds) = (end[0], end[1], end[2])
    }
}
