import FootingSystem
import Testing

/// Disks in files, on the file systems of a real kernel: what is decided, what is changed, and what
/// a durable write costs the host.
@Suite(
    .needs(.emulator),
    .needs(.shell),
    .needs(.program),
    .needs(.initialProcess),
    .needs(.durable),
    .needs(.cloudKernel),
    .enabled(if: HostedGuest.isPossible, "a tool that makes file systems is missing: 'make deps'")
)
struct HostedGuestTests {
    private static let small = "--size 8M --segment 256K --snapshot-reserve 0"

    /// The mechanisms of the hosted optimizer that are on.
    private func decided(_ guest: Guest, _ path: String) throws -> Set<String> {
        let plan = try JSONValue(guest.shell("footing plan --json \(path)"))
        let decisions = plan["hosted"]?.array ?? []
        let on = decisions.filter { $0["isOn"] == true }
        return Set(on.compactMap { $0["mechanism"]?.stringValue })
    }

    @Test func `each file system gets what is right for it`() throws {
        let names = ["ordered", "bare", "journal", "eager", "xfs", "btrfs", "small"]
        let guest = try HostedGuest(names).guest
        try guest.shell(
            """
            cd /m; busybox mkdir -p tmpfs overlay loop ordered/low ordered/up ordered/work; \
            busybox mount -t tmpfs tmpfs tmpfs; busybox mount -t overlay overlay \
            -o lowerdir=/m/ordered/low,upperdir=/m/ordered/up,workdir=/m/ordered/work overlay; \
            busybox umount small; \(HostedGuest.functions); \
            busybox cat /dev/$(disk small) >ordered/image; \
            busybox mount -t ext4 -o loop ordered/image loop
            """
        )
        let expected: [(String, Set<String>)] = [
            ("ordered", ["prepared-segments", "no-data-journal", "alignment"]),
            ("bare", ["prepared-segments", "no-data-journal", "alignment"]),
            ("journal", ["alignment"]),
            ("eager", ["prepared-segments", "no-data-journal", "alignment"]),
            ("xfs", ["prepared-segments", "alignment"]),
            ("btrfs", ["no-copy-on-write", "alignment"]), ("tmpfs", []), ("overlay", []),
            ("loop", ["prepared-segments", "no-data-journal"]),
        ]
        for (place, mechanisms) in expected {
            let path = "/m/\(place)/disk.footing"
            #expect(
                try decided(guest, path).subtracting(["alignment"])
                    == mechanisms.subtracting(["alignment"]),
                "\(place)"
            )
            try guest.shell("footing disk create \(path) \(Self.small) >/dev/null")
            let then = try decided(guest, path)
            let isOverwritten = place == "btrfs" || mechanisms.contains("prepared-segments")
            #expect(then.contains("prepared-segments") == isOverwritten, "\(place): \(then)")
        }
        // btrfs takes the attribute from an empty file only, which is when a disk is made.
        #expect(try guest.shell("attributes /m/btrfs/disk.footing") == "C\n")
        let kept = "\(Self.small) --keep-copy-on-write"
        try guest.shell("footing disk create /m/btrfs/cow.footing \(kept)")
        #expect(try decided(guest, "/m/btrfs/cow.footing").isDisjoint(with: ["no-copy-on-write"]))
        let plan = try guest.shell("footing plan /m/btrfs/cow.footing")
        #expect(plan.contains("cannot get it any more"))
        #expect(try guest.shell("footing plan /m/loop/disk.footing").contains("loop"))
        try refusesOthers(guest)
        try takesAndGivesBack(guest)
    }

    /// A file that is no disk is not touched, nor is anything for its sake.
    private func refusesOthers(_ guest: Guest) throws {
        try guest.shell(
            """
            echo mine >/m/ordered/other; attributes /m/eager/disk.footing +j; \
            busybox cp /m/eager/disk.footing /m/eager/other; attributes /m/eager/other +j; \
            for at in 100 65636; do busybox printf x | busybox dd of=/m/eager/other bs=1 \
            seek=$at conv=notrunc 2>/dev/null; done
            """
        )
        for path in ["/m/ordered/other", "/m/eager/other"] {
            let refused = try guest.shell(
                "footing apply --rules read-ahead \(path) 2>&1 && exit 1; echo status $?"
            )
            #expect(refused.contains("no disk of Footing's"))
            #expect(refused.hasSuffix("status 1\n"))
        }
        #expect(try guest.shell("attributes /m/eager/other") == "j\n")
    }

    /// The attribute `+j` of a disk's file, where the kernel heeds it, with the disk being served.
    private func takesAndGivesBack(_ guest: Guest) throws {
        let path = "/m/eager/disk.footing"
        func isJournaled() throws -> Bool {
            try guest.shell("attributes \(path)") == "j\n"
        }
        #expect(try isJournaled())
        try guest.shell(
            """
            footing serve \(path) --socket /tmp/s >/tmp/serve.log 2>&1 & \
            while [ ! -S /tmp/s ]; do busybox usleep 50000; done; durable /tmp/s 4 200 4
            """
        )
        let plan = try guest.shell("footing plan \(path)")
        #expect(plan.contains("\(path) data-journal: set -> clear"))
        try guest.shell("footing apply \(path)")
        #expect(try !isJournaled())
        #expect(try guest.shell("footing plan \(path)").contains("Nothing to apply."))
        try guest.shell("durable /tmp/s 4 200 4")
        #expect(try guest.shell("footing rollback").contains("data-journal: clear -> set"))
        #expect(try isJournaled())
        try guest.shell("durable /tmp/s 4 200 4")
    }

    /// What a host writes and commits for durable writes: with the optimizer, without it, and below
    /// a server that knows nothing of it.
    @Test func `the host's journal has next to nothing to commit`() throws {
        let hosted = try HostedGuest(["ordered"])
        let guest = hosted.guest
        // On a disk that is new each time; the first series is past the segments that it begins in.
        let series = [(1, 1200, 16), (1, 1000, 16), (16, 2000, 16)]
        let fresh = "--size 64M --segment 4M --snapshot-reserve 0"
        func footing(_ options: String, _ profile: String = "") throws -> String {
            try guest.shell(
                "cd /m/ordered; busybox rm -f d.footing; footing disk create d.footing \(options)"
            )
            return "footing serve /m/ordered/d.footing --socket /tmp/serve.sock \(profile)"
        }
        let on = try hosted.costs("ordered", footing(fresh), series)
        try guest.shell(
            "cd /tmp; footing profile create off --base hypervisor --set hosted-optimizer=off"
        )
        let off = try hosted.costs("ordered", footing(fresh, "--profile /tmp/off"), series)
        try guest.shell("busybox rm /m/ordered/d.footing; busybox truncate -s 64M /m/ordered/peer")
        let peer = try [(1, 1000, 16), (16, 2000, 32)].map { series in
            try hosted.cost("ordered", "/m/ordered/peer", series)
        }
        try guest.shell("busybox rm /m/ordered/peer")
        // Once every segment was written, whatever the disk is, nothing is prepared any more.
        let again = try hosted.costs(
            "ordered",
            footing("--size 24M --segment 1M --snapshot-reserve 0"),
            [(16, 12288, 16), (16, 4096, 16)]
        )
        func perThousand(_ cost: HostedGuest.Cost, _ count: Int) -> Double {
            Double(cost.commits) * 1000 / Double(count)
        }
        func perByte(_ cost: HostedGuest.Cost, _ count: Int) -> Double {
            Double(cost.bytes) / Double(count * 4096)
        }
        print(
            """
            commits per 1,000 durable writes, 1 writer: \(perThousand(on[1], 1000)) on, \
            \(perThousand(off[1], 1000)) off, \(perThousand(peer[0], 1000)) naive; 16 writers: \
            \(perThousand(on[2], 2000)) on, \(perThousand(off[2], 2000)) off, \
            \(perThousand(peer[1], 2000)) naive, \(perThousand(again[1], 4096)) written before
            bytes per byte, 1 writer: \(perByte(on[1], 1000)) on, \(perByte(off[1], 1000)) off, \
            \(perByte(peer[0], 1000)) naive; 16 writers: \(perByte(on[2], 2000)) on, \
            \(perByte(off[2], 2000)) off, \(perByte(peer[1], 2000)) naive, \
            \(perByte(again[1], 4096)) written before
            """
        )
        #expect(perThousand(on[1], 1000) <= 0.05 * perThousand(peer[0], 1000))
        #expect(perThousand(on[2], 2000) <= 0.05 * perThousand(peer[1], 2000))
        #expect(perThousand(on[1], 1000) <= 0.1 * perThousand(off[1], 1000))
        // What the log and the map take; the zeros come on top, once for each segment.
        #expect(perByte(off[2], 2000) <= 1.3)
        #expect(perByte(again[1], 4096) <= 1.6)
    }
}
