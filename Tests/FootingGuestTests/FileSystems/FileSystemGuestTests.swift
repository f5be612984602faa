import FootingSystem
import Glibc
import Testing

/// Real file systems of a real kernel on a served disk: server and guest are killed under load,
/// again and again, and nothing that the guest had synced may be missing.
///
/// What the guest does, and what it has been promised, is told by `Init/files.c`.
@Suite(
    .needs(.emulator),
    .needs(.shell),
    .needs(.program),
    .needs(.initialProcess),
    .needs(.files),
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
        var isEncrypted = false
        var compression = "none"

        var testDescription: String {
            "\(name), \(isEncrypted ? "encrypted" : "plain"), compression \(compression)"
        }

        var isThere: Bool {
            unsafe access(make[0], X_OK) == 0 && access(check[0], X_OK) == 0
        }
    }

    static let kinds = [ext4, xfs, btrfs, encrypted(ext4), compressed(btrfs)]

    private static let ext4 = Kind(
        name: "ext4",
        make: ["/usr/sbin/mkfs.ext4", "-q", "-F"],
        check: ["/usr/sbin/e2fsck", "-f", "-n"]
    )
    private static let xfs = Kind(
        name: "xfs",
        modules: ["xfs"],
        make: ["/usr/sbin/mkfs.xfs", "-q", "-f"],
        check: ["/usr/sbin/xfs_repair", "-n", "-f"]
    )
    private static let btrfs = Kind(
        name: "btrfs",
        modules: ["btrfs"],
        make: ["/usr/sbin/mkfs.btrfs", "-q", "-f"],
        check: ["/usr/bin/btrfs", "check", "--readonly"]
    )

    private static func encrypted(_ kind: Kind) -> Kind {
        var kind = kind
        kind.isEncrypted = true
        return kind
    }

    private static func compressed(_ kind: Kind) -> Kind {
        var kind = kind
        kind.compression = "lz4"
        return kind
    }

    /// How many clients change files in the guest, each its own.
    private static let writers = 3
    /// How much each of them must be promised before a kill.
    private static let stepCount = 24
    private static let killCount = 2

    @Test(arguments: kinds)
    func `it is whole after every kill`(kind: Kind) throws {
        guard kind.isThere else { try Test.cancel("\(kind.name)'s tools are missing: 'make deps'") }
        let disk = try ServedDisk(
            sizeMebibytes: 512,
            isEncrypted: kind.isEncrypted,
            options: ["--compression", kind.compression]
        )
        try disk.start()
        let made = try disk.show(to: kind.make)
        try #require(made.status == 0, "\(made.output)")
        // The last step that each of them was told is durable.
        var kept = [Int](repeating: 0, count: Self.writers)
        for round in 0...Self.killCount {
            let guest = try Guest(machine(kind, disk))
            try guest.awaitPaths("/dev/vda", count: 1)
            // What is freed is trimmed. Mounting replays the journal; what is left to find then is
            // damage.
            let mount = "busybox mount -t \(kind.name) -o discard /dev/vda /tmp/mnt"
            let verify = words("verify", kept, "|| bad=1;")
            try guest.shell(
                "busybox mkdir -p /tmp/mnt; \(mount); bad=; \(verify) busybox umount /tmp/mnt; "
                    + "[ -z \"$bad\" ]",
                limitSeconds: 60
            )
            let check = try disk.show(to: kind.check)
            #expect(check.status == 0, "round \(round), kept \(kept): \(check.output)")
            if round == Self.killCount { break }
            let load = words("load", kept, "&")
            try guest.shell("\(mount); \(load) files noise /tmp/mnt &")
            let wanted = kept.map { $0 + Self.stepCount }
            let deadline = Deadline.after(seconds: 120)
            while !isReached(wanted, kept), deadline.milliseconds > 0 {
                usleep(50_000)
                kept = lastKept(guest, kept)
            }
            // One time the server dies first, another time the guest.
            if !round.isMultiple(of: 2) { disk.kill() }
            guest.kill()
            disk.kill()
            kept = lastKept(guest, kept)
            #expect(isReached(wanted, kept), "\(kept), not \(wanted): \(guest.console.log)")
            try disk.start()
        }
    }

    private func machine(_ kind: Kind, _ disk: ServedDisk) -> Machine {
        let drive =
            "driver=nbd,node-name=disk,server.type=unix,server.path=\(disk.socket),discard=unmap"
        return Machine(
            memoryMebibytes: 384,
            options: ["-blockdev", drive, "-device", "virtio-blk-pci,drive=disk"],
            modules: ["virtio_pci", "virtio_blk"] + kind.modules,
            programs: [.files]
        )
    }

    /// A command for each writer, separated from the next by what is said.
    private func words(_ command: String, _ kept: [Int], _ end: String) -> String {
        kept.enumerated().map { writer, step in
            "files \(command) /tmp/mnt \(writer + 1) \(step) \(end)"
        }.joined(separator: " ")
    }

    private func isReached(_ wanted: [Int], _ kept: [Int]) -> Bool {
        zip(wanted, kept).allSatisfy { $0 <= $1 }
    }

    /// The last step of each writer that the guest's console tells of, if it tells of one.
    private func lastKept(_ guest: Guest, _ before: [Int]) -> [Int] {
        var kept = before
        // What follows the last line's end may be the half of a number.
        let text = guest.console.kernelText
        let lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }.dropLast()
        for line in lines {
            let words = line.split(separator: " ")
            guard words.count == 3, words[0] == "kept", let writer = Int(words[1]),
                let step = Int(words[2]), kept.indices.contains(writer - 1)
            else { continue }
            kept[writer - 1] = step
        }
        return kept
    }
}
