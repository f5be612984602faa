import FootingSystem
import Glibc
import Testing

/// `prove` and `bench` on a real kernel, on a disk whose host lets through only so many requests.
@Suite(
    .needs(.emulator),
    .needs(.shell),
    .needs(.program),
    .needs(.initialProcess),
    .needs(.cloudKernel),
    .enabled(if: SlowDisk.isPossible, "mkfs.ext4 is missing: run 'make deps'")
)
struct ProveGuestTests {
    /// Every attribute of the disk's queue as the kernel shows it.
    private static func values(_ guest: Guest) throws -> String { try guest.shell(look) }

    private static let look =
        "busybox grep . /sys/block/vda/queue/* /sys/block/vda/queue/iosched/* 2>/dev/null || true"

    /// A guest whose disk somebody has set up badly, with a file system on it.
    private static func badlyTuned(_ disk: SlowDisk, requestsPerSecond: Int?) throws -> Guest {
        let guest = try Guest(disk.machine(requestsPerSecond: requestsPerSecond))
        try guest.awaitPaths("/sys/block/vda/queue/scheduler", count: 1)
        try guest.shell(
            """
            busybox mkdir -p /tmp/mnt; busybox mount -t ext4 /dev/vda /tmp/mnt; \
            cd /sys/block/vda/queue; echo mq-deadline >scheduler; echo 8 >nr_requests; \
            echo 4 >read_ahead_kb; echo 123 >iosched/read_expire; echo 5 >iosched/async_depth
            """
        )
        return guest
    }

    private static let short = "--rounds 3 --size 16M"

    @Test func `what helps is kept, what does not is undone, and a rollback restores all`() throws {
        // So few that what a read-ahead gains is beyond doubt also where processors are short.
        let guest = try Self.badlyTuned(try SlowDisk(), requestsPerSecond: 200)
        let before = try Self.values(guest)
        let rules = "--rules paravirtual-scheduler-none,queue-requests,read-ahead"
        // Five rounds: where others share the machine, fewer find a harm where there is none.
        let words = "--rounds 5 --size 16M --slice 100ms \(rules) /tmp/mnt/disk.footing"
        let dry = try guest.shell("footing prove --dry-run \(words)")
        #expect(dry.contains("would try 3 in about"))
        #expect(try Self.values(guest) == before)
        let proved = try guest.shell(
            "footing prove --json --html /tmp/page.html \(words)",
            limitSeconds: 300
        )
        let report = try JSONValue(proved)
        let trials = report["trials"]?.array ?? []
        #expect(trials.count == 3, "\(proved)")
        let decisions = Dictionary(
            uniqueKeysWithValues: trials.map { trial in
                (
                    trial["rules"]?.array.first?.stringValue ?? "",
                    trial["decision"]?.stringValue ?? ""
                )
            }
        )
        // With 4 KiB a request the host's limit is the reader's; with 128 KiB it is not.
        #expect(decisions["read-ahead"] == "kept", "\(proved)")
        #expect(decisions.values.contains("no gain"), "\(proved)")
        let steps = report[path: "outcome.steps"]?.array ?? []
        #expect(steps.contains { $0["target"] == "vda queue/read_ahead_kb" })
        let readAhead = try guest.shell("busybox cat /sys/block/vda/queue/read_ahead_kb")
        #expect(readAhead == "128\n")
        if decisions["paravirtual-scheduler-none"] != "kept" {
            let scheduler = try guest.shell("busybox cat /sys/block/vda/queue/scheduler")
            #expect(scheduler.contains("[mq-deadline]"))
        }
        #expect(try guest.shell("busybox grep -c '<svg' /tmp/page.html") == "24\n")
        #expect(try guest.shell("busybox ls -A /tmp/mnt") == "lost+found\n")
        let undone = try JSONValue(guest.shell("footing rollback --json"))
        #expect(undone[path: "outcome.left"]?.array == [], "\(undone.text())")
        #expect(try Self.values(guest) == before)
    }

    /// A proof's words, and how long it takes, so that it can be ended in its midst.
    private static func timed(_ guest: Guest) throws -> (words: String, milliseconds: Int) {
        let rules = "--rules paravirtual-scheduler-none,read-ahead"
        let words = "\(short) --slice 10ms \(rules) /tmp/mnt"
        let timed = try guest.shell(
            """
            read a b </proc/uptime; footing prove \(words) >/dev/null; read c d </proc/uptime; \
            footing rollback >/dev/null; echo $a $c
            """,
            limitSeconds: 60
        )
        let times = timed.split { " \n".contains($0) }.compactMap { Double($0) }
        return (words, Int(max(times[1] - times[0], 0.5) * 1000))
    }

    @Test func `a proof that is killed at any time is undone by a rollback`() throws {
        let guest = try Self.badlyTuned(try SlowDisk(), requestsPerSecond: nil)
        let before = try Self.values(guest)
        let (words, milliseconds) = try Self.timed(guest)
        #expect(try Self.values(guest) == before)
        var changed = 0
        for part in 1...6 {
            let found = try guest.shell(
                """
                footing prove \(words) >/dev/null & p=$!; \
                busybox usleep \(milliseconds * 1000 * part / 7); \
                kill -9 $p 2>/dev/null || true; wait $p || true; \(Self.look)
                """,
                limitSeconds: 60
            )
            if found != before { changed += 1 }
            try guest.shell("footing rollback >/dev/null")
            #expect(try Self.values(guest) == before, "ended after \(part) sevenths")
            #expect(try guest.shell("busybox ls -A /tmp/mnt") == "lost+found\n")
        }
        // Else nothing was ever in the middle of anything.
        #expect(changed > 0)
    }

    @Test func `a proof that is told to stop undoes everything itself`() throws {
        let guest = try Self.badlyTuned(try SlowDisk(), requestsPerSecond: nil)
        let before = try Self.values(guest)
        let words = "\(Self.short) --slice 200ms --rules read-ahead /tmp/mnt"
        for signal in ["TERM", "INT", "HUP"] {
            // When its value is there it is in the midst of a measurement that takes 1.6 seconds.
            let said = try guest.shell(
                """
                footing prove \(words) >/dev/null 2>/tmp/said & p=$!; i=0; \
                until busybox grep -qx 128 /sys/block/vda/queue/read_ahead_kb || [ $i = 600 ]; \
                do i=$((i + 1)); busybox usleep 50000; done; \
                busybox grep -c . /var/lib/footing/tuning/journal.json; \
                kill -\(signal) $p; s=0; wait $p || s=$?; echo status $s; busybox cat /tmp/said
                """,
                limitSeconds: 60
            )
            #expect(!said.hasPrefix("0\n"), "\(signal): nothing was under way: \(said)")
            #expect(said.contains("\nstatus 1\n"), "\(signal): \(said)")
            #expect(said.contains("everything is as it was before"), "\(signal): \(said)")
            // Before anything else has looked at the journal.
            #expect(try Self.values(guest) == before, "\(signal)")
            #expect(
                try guest.shell("busybox ls /var/lib/footing/tuning") == "lock\n",
                "\(signal)"
            )
            #expect(try guest.shell("footing rollback") == "nothing to undo\n", "\(signal)")
        }
    }

    @Test func `who has no rights is told what would be tried`() throws {
        let guest = try Self.badlyTuned(try SlowDisk(), requestsPerSecond: nil)
        try guest.shell(
            """
            busybox mkdir -p /etc; echo 'guest:x:1000:1000::/tmp:/bin/sh' >/etc/passwd; \
            busybox ln -s busybox /bin/sh
            """
        )
        let before = try Self.values(guest)
        let user = "busybox su -s /bin/sh guest -c"
        let refused = try guest.shell("\(user) 'footing prove /tmp/mnt 2>&1; echo status $?'")
        #expect(refused.contains("only root may change this machine. Run 'footing prove --dry"))
        #expect(refused.hasSuffix("status 1\n"))
        let dry = try guest.shell("\(user) 'footing prove --dry-run /tmp/mnt'")
        #expect(dry.contains("read-ahead: kept for cached-read-rate\n"))
        #expect(try Self.values(guest) == before)
    }

    @Test func `a place is measured as it is`() throws {
        let guest = try Self.badlyTuned(try SlowDisk(), requestsPerSecond: 500)
        let words = "--json --size 16M --seconds 5 --rounds 3"
        let report = try JSONValue(
            guest.shell("footing bench \(words) /tmp/mnt", limitSeconds: 60)
        )
        let disk = try #require(report[path: "place.disks"]?.array.first)
        #expect(disk["interface"] == "virtio-blk")
        #expect(disk["scheduler"] == "mq-deadline")
        #expect(report[path: "place.fileSystem"] == "ext4")
        #expect(report[path: "scratch.isDirect"] == true)
        #expect(report[path: "scratch.requests"] == "io_uring")
        let rate = try #require(Self.median(report, "random-read-depth-16", "operations"))
        #expect((250...900).contains(rate), "\(rate) reads a second, of which 500 are let through")
        // QEMU's disk says that it caches, and gets the flushes that are asked for.
        let verdict = report[path: "flush.verdict"]?.stringValue ?? ""
        #expect(["honest", "suspiciously fast", "unknown"].contains(verdict))
        // A file system that is told not to flush is found out.
        try guest.shell("busybox mount -o remount,nobarrier /tmp/mnt")
        let silent = try JSONValue(
            guest.shell("footing bench \(words) /tmp/mnt", limitSeconds: 60)
        )
        #expect(silent[path: "flush.verdict"] == "not sent", "\(silent.text())")
        #expect(try guest.shell("busybox ls -A /tmp/mnt") == "lost+found\n")
    }

    private static func median(
        _ report: JSONValue,
        _ workload: String,
        _ figure: String
    ) -> Double? {
        let found = report["workloads"]?.array.first { $0["name"]?.stringValue == workload }
        let value = found?["figures"]?.array.first { $0["name"]?.stringValue == figure }?["median"]
        switch value {
        case .number(let number)?: return number
        case .integer(let number)?: return Double(number)
        default: return nil
        }
    }
}

/// An image with an empty ext4, which guests see by a disk that is as slow as they ask for.
final class SlowDisk {
    private let folder: ScratchFolder

    static let isPossible = unsafe access("/usr/sbin/mkfs.ext4", X_OK) == 0

    init() throws {
        folder = try ScratchFolder()
        try folder.makeSparse("image", sizeBytes: 256 << 20)
        let process = try ChildProcess(
            limitSeconds: 60,
            ["/usr/sbin/mkfs.ext4", "-q", "-F", "\(folder.path)/image"],
            descriptors: [:],
            log: "\(folder.path)/log"
        )
        guard process.awaitEnd() == 0 else { throw GuestError("no image: \(folder.text("log"))") }
    }

    func machine(requestsPerSecond: Int?) -> Machine {
        var drive = "if=none,id=slow,format=raw,file=\(folder.path)/image,cache=none"
        if let requestsPerSecond { drive += ",throttling.iops-total=\(requestsPerSecond)" }
        return Machine(
            processors: "2",
            options: ["-drive", drive, "-device", "virtio-blk-pci,drive=slow"],
            modules: ["virtio_pci", "virtio_blk"]
        )
    }
}
