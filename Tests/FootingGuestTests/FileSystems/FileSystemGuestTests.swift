import FootingSystem
import Glibc
import Testing

/// Real file systems of a real kernel on a served disk: server and guest are killed under load,
/// again and again, and nothing that the guest had synced may be missing.
@Suite(
    .needs(.emulator),
    .needs(.shell),
    .needs(.program),
    .needs(.initialProcess),
    .needs(.cloudKernel),
    .enabled(if: ServedDisk.canShowFiles, "root, /dev/fuse or nbdfuse is missing")
)
struct FileSystemGuestTests {
    /// A file system, and the tools that know it.
    struct Kind: CustomTestStringConvertible, Sendable {
        var name: String
        var modules: [String] = []
        var make: [String]
        /// Changes nothing, and fails if anything is wrong.
        var check: [String]

        var testDescription: String { name }

        var isThere: Bool {
            unsafe access(make[0], X_OK) == 0 && access(check[0], X_OK) == 0
        }
    }

    static let kinds = [
        Kind(
            name: "ext4",
            make: ["/usr/sbin/mkfs.ext4", "-q", "-F"],
            check: ["/usr/sbin/e2fsck", "-f", "-n"]
        ),
        Kind(
            name: "xfs",
            modules: ["xfs"],
            make: ["/usr/sbin/mkfs.xfs", "-q", "-f"],
            check: ["/usr/sbin/xfs_repair", "-n", "-f"]
        ),
        Kind(
            name: "btrfs",
            modules: ["btrfs"],
            make: ["/usr/sbin/mkfs.btrfs", "-q", "-f"],
            check: ["/usr/bin/btrfs", "check", "--readonly"]
        ),
    ]

    /// The content of file N follows from N; it is told of once fsync(2) has succeeded.
    ///
    /// Neither sync(2) nor syncfs(2) would do: they succeed here while writes of data fail.
    private static let functions = """
        content() { busybox yes "content of $1" | busybox head -c $(( $1 * 7919 % 150000 )); }; \
        load() { n=$1; while :; do n=$((n + 1)); d=/tmp/mnt/d$((n % 5)); busybox mkdir -p $d; \
        content $n >$d/new; busybox mv $d/new $d/f$n; busybox rm -f /tmp/mnt/d*/f$((n - 60)); \
        if [ $((n % 3)) = 0 ]; then busybox sync /tmp/mnt/d*/f$((n - 2)) \
        /tmp/mnt/d*/f$((n - 1)) $d/f$n || exit 1; echo synced $n >&2; fi; done; }; \
        verify() { n=$(($1 - 50)); while [ $n -lt $1 ]; do n=$((n + 1)); \
        if [ $n -gt 0 ]; then content $n | busybox cmp - /tmp/mnt/d$((n % 5))/f$n || exit 1; fi; \
        done; }
        """

    @Test(arguments: kinds)
    func `it is whole after every kill`(kind: Kind) throws {
        guard kind.isThere else { try Test.cancel("\(kind.name)'s tools are missing: 'make deps'") }
        let disk = try ServedDisk(sizeMebibytes: 512)
        try disk.start()
        let made = try disk.show(to: kind.make)
        try #require(made.status == 0, "\(made.output)")
        var synced = 0
        for round in 0..<3 {
            let guest = try Guest(machine(kind, disk))
            try guest.awaitPaths("/dev/vda", count: 1)
            // Mounting replays the journal; what is left to find then is damage.
            let mount = "busybox mount -t \(kind.name) /dev/vda /tmp/mnt"
            try guest.shell(
                "\(Self.functions); busybox mkdir -p /tmp/mnt; \(mount); verify \(synced); "
                    + "busybox umount /tmp/mnt",
                limitSeconds: 60
            )
            let check = try disk.show(to: kind.check)
            #expect(check.status == 0, "round \(round), \(synced) synced: \(check.output)")
            try guest.shell("\(Self.functions); \(mount); load \(synced) &")
            let before = synced
            let deadline = Deadline.after(seconds: 30)
            while synced < before + 20, deadline.milliseconds > 0 {
                usleep(50_000)
                synced = lastSynced(guest) ?? before
            }
            // One time the server dies first, another time the guest.
            if !round.isMultiple(of: 2) { disk.kill() }
            guest.kill()
            disk.kill()
            synced = lastSynced(guest) ?? before
            #expect(synced >= before + 20, "no load: \(guest.console.log)")
            try disk.start()
        }
    }

    private func machine(_ kind: Kind, _ disk: ServedDisk) -> Machine {
        let drive = "driver=nbd,node-name=disk,server.type=unix,server.path=\(disk.socket)"
        return Machine(
            memoryMebibytes: 384,
            options: ["-blockdev", drive, "-device", "virtio-blk-pci,drive=disk"],
            modules: ["virtio_pci", "virtio_blk"] + kind.modules
        )
    }

    private func lastSynced(_ guest: Guest) -> Int? {
        // What follows the last line's end may be the half of a number.
        let lines = guest.console.kernelText.split { $0.isNewline }.dropLast()
        return lines.last { $0.hasPrefix("synced ") }.flatMap { Int($0.dropFirst(7)) }
    }
}
