import FootingSystem
import Glibc

/// A guest with a disk of each file system, on which disks of Footing's lie in files.
final class HostedGuest {
    let guest: Guest
    private let images: ScratchFolder

    /// A file system of the guest: mounted at `/m/NAME`.
    struct Place {
        var name: String
        var make: [String]
        var sizeMebibytes: UInt64
        var mount: String

        static let all = [
            Place("ordered", ["/usr/sbin/mkfs.ext4", "-q", "-F"], 256, "-t ext4"),
            Place(
                "bare",
                ["/usr/sbin/mkfs.ext4", "-q", "-F", "-O", "^has_journal"],
                128,
                "-t ext4"
            ),
            Place("journal", ["/usr/sbin/mkfs.ext4", "-q", "-F"], 128, "-t ext4 -o data=journal"),
            Place("eager", ["/usr/sbin/mkfs.ext4", "-q", "-F"], 128, "-t ext4 -o nodelalloc"),
            Place("xfs", ["/usr/sbin/mkfs.xfs", "-q", "-f"], 320, "-t xfs"),
            Place("btrfs", ["/usr/sbin/mkfs.btrfs", "-q", "-f"], 256, "-t btrfs"),
            Place("small", ["/usr/sbin/mkfs.ext4", "-q", "-F"], 48, "-t ext4"),
        ]

        init(_ name: String, _ make: [String], _ sizeMebibytes: UInt64, _ mount: String) {
            self.name = name
            self.make = make
            self.sizeMebibytes = sizeMebibytes
            self.mount = mount
        }
    }

    /// Whether every tool that makes one is here.
    static let isPossible = Place.all.allSatisfy { unsafe access($0.make[0], X_OK) == 0 }

    /// Boots one with some of the places.
    ///
    /// - Parameter files: what of this machine it has besides, at the same paths.
    init(_ names: [String], files: [String] = []) throws {
        images = try ScratchFolder()
        let places = Place.all.filter { names.contains($0.name) }
        var options: [String] = []
        for place in places {
            try images.makeSparse(place.name, sizeBytes: place.sizeMebibytes << 20)
            let file = "\(images.path)/\(place.name)"
            let process = try ChildProcess(
                limitSeconds: 60,
                place.make + [file],
                descriptors: [:],
                log: "\(images.path)/log"
            )
            guard process.awaitEnd() == 0 else { throw GuestError(images.text("log")) }
            options += Self.device(place.name, file)
        }
        guest = try Guest(
            Machine(
                memoryMebibytes: 512,
                processors: "2",
                options: options,
                modules: ["virtio_pci", "virtio_blk", "xfs", "btrfs", "loop", "overlay"],
                programs: [.durable, .attributes],
                files: files
            )
        )
        try guest.awaitPaths("/sys/block/vd*/serial", count: places.count)
        for place in places {
            try guest.shell(
                """
                \(Self.functions); busybox mkdir -p /m/\(place.name); \
                busybox mount \(place.mount) /dev/$(disk \(place.name)) /m/\(place.name)
                """
            )
        }
    }

    /// The images go with the guest; what a guest flushes need not reach this machine's disk.
    private static func device(_ name: String, _ file: String) -> [String] {
        [
            "-drive", "if=none,id=\(name),format=raw,file=\(file),snapshot=on,cache=unsafe",
            "-device", "virtio-blk-pci,drive=\(name),serial=\(name)",
        ]
    }

    /// `disk NAME`: what the kernel calls it.
    static let functions = """
        disk() { for d in /sys/block/vd*; do \
        if [ "$(busybox cat $d/serial)" = $1 ]; then echo ${d##*/}; fi; done; }
        """

    // MARK: - What writes cost

    /// What a file system's device and journal have done so far.
    struct Cost {
        var commits: Int
        var bytes: Int

        static func - (end: Cost, start: Cost) -> Cost {
            Cost(commits: end.commits - start.commits, bytes: end.bytes - start.bytes)
        }
    }

    /// The journal's commits (`/proc/fs/jbd2/*/info`), and the bytes that the device was given
    /// (field 7 of `/sys/block/*/stat`, in sectors of 512 bytes).
    func cost(_ place: String) throws -> Cost {
        let text = try guest.shell(
            """
            \(Self.functions); d=$(disk \(place)); busybox head -n 1 /proc/fs/jbd2/$d-8/info; \
            busybox cat /sys/block/$d/stat
            """
        )
        let lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        guard lines.count == 2, let commits = lines[0].first.flatMap({ Int($0) }),
            lines[1].count > 6, let sectors = Int(lines[1][6])
        else { throw GuestError("no counters: \(text)") }
        return Cost(commits: commits, bytes: sectors * 512)
    }

    /// Has durable writes made to a socket or a file, and tells what they cost.
    func cost(
        _ place: String,
        _ path: String,
        _ series: (writers: Int, count: Int, mebibytes: Int)
    ) throws -> Cost {
        // What went before is on the device by then.
        try guest.shell("busybox sync")
        let start = try cost(place)
        let words = "\(series.writers) \(series.count) \(series.mebibytes)"
        try guest.shell(
            "durable \(path) \(words) || { busybox cat /tmp/serve.log; exit 1; }",
            limitSeconds: 90
        )
        return try cost(place) - start
    }

    /// Serves something, has durable writes made, and tells what each series of them cost.
    ///
    /// - Parameters:
    ///   - serve: what listens on `/tmp/serve.sock`, as one command.
    ///   - series: writers, writes and mebibytes, one after the other.
    func costs(
        _ place: String,
        _ serve: String,
        _ series: [(writers: Int, count: Int, mebibytes: Int)]
    ) throws -> [Cost] {
        try guest.shell(
            """
            busybox rm -f /tmp/serve.sock; \(serve) >/tmp/serve.log 2>&1 & \
            echo $! >/tmp/serve.pid; \
            for i in $(busybox seq 200); do [ -S /tmp/serve.sock ] && exit 0; \
            busybox usleep 50000; done; busybox cat /tmp/serve.log; exit 1
            """
        )
        var costs: [Cost] = []
        for (writers, count, mebibytes) in series {
            costs.append(try cost(place, "/tmp/serve.sock", (writers, count, mebibytes)))
        }
        try guest.shell(
            """
            p=$(busybox cat /tmp/serve.pid); kill -TERM $p; \
            while [ -e /proc/$p/status ] && ! busybox grep -q 'State:.Z' /proc/$p/status; do \
            busybox usleep 50000; done
            """,
            limitSeconds: 60
        )
        return costs
    }
}
