import FootingSystem
import Glibc
import Testing

/// Tuned machines to which something happens: disks that go and come, a full disk, the next start.
@Suite(
    .needs(.emulator),
    .needs(.shell),
    .needs(.program),
    .needs(.initialProcess),
    .needs(.cloudKernel),
    .enabled(if: HostedGuest.isPossible, "e2fsprogs is missing: 'make deps'")
)
struct TuningHotPlugGuestTests {
    private let folder: ScratchFolder

    init() throws {
        folder = try ScratchFolder()
        for name in ["first", "second", "kept"] {
            try folder.makeSparse(name, sizeBytes: 64 << 20)
        }
        let process = try ChildProcess(
            limitSeconds: 30,
            ["/usr/sbin/mkfs.ext4", "-q", "-F", "\(folder.path)/kept"],
            descriptors: [:],
            log: "\(folder.path)/log"
        )
        guard process.awaitEnd() == 0 else { throw GuestError(folder.text("log")) }
    }

    /// Two disks that can be unplugged, and one that is kept from one start to the next.
    private func machine(memoryMebibytes: Int = 256) -> Machine {
        var options: [String] = []
        for (index, name) in ["first", "second", "kept"].enumerated() {
            let file = "file.driver=file,file.filename=\(folder.path)/\(name)"
            options += [
                "-blockdev", "driver=raw,node-name=\(name),\(file)",
                "-device", "pcie-root-port,id=port\(index),slot=\(index + 1),chassis=\(index + 1)",
                "-device",
                "virtio-blk-pci,drive=\(name),id=disk-\(name),serial=\(name),"
                    + "bus=port\(index)",
            ]
        }
        return Machine(
            memoryMebibytes: memoryMebibytes,
            options: options,
            modules: ["virtio_pci", "virtio_blk"]
        )
    }

    private func boot(memoryMebibytes: Int = 256) throws -> Guest {
        let guest = try Guest(machine(memoryMebibytes: memoryMebibytes))
        try guest.awaitPaths("/sys/block/vd*/serial", count: 3)
        try guest.shell(
            """
            \(HostedGuest.functions); busybox mkdir -p /var/lib/footing; \
            busybox mount -t ext4 /dev/$(disk kept) /var/lib/footing; \
            for d in first second; do echo 8192 >/sys/block/$(disk $d)/queue/read_ahead_kb; done
            """
        )
        return guest
    }

    private func name(_ serial: String, _ guest: Guest) throws -> String {
        let text = try guest.shell("\(HostedGuest.functions); disk \(serial)")
        return String(try #require(text.split(separator: "\n").first))
    }

    private func readAhead(_ name: String, _ guest: Guest) throws -> String {
        try guest.shell("busybox cat /sys/block/\(name)/queue/read_ahead_kb")
    }

    private func unplug(_ serial: String, _ guest: Guest) throws {
        try guest.qmp.execute("device_del", ["id": .string("disk-\(serial)")])
        try guest.shell(
            """
            \(HostedGuest.functions); for i in $(busybox seq 200); do \
            [ "$(disk \(serial) 2>/dev/null)" ] || exit 0; busybox usleep 50000; done; exit 1
            """
        )
    }

    private func plug(_ serial: String, port: Int, _ guest: Guest) throws {
        let device: JSONObject = [
            "driver": "virtio-blk-pci", "drive": .string(serial),
            "id": .string("disk-\(serial)"), "serial": .string(serial),
            "bus": .string("port\(port)"),
        ]
        // The emulator lets go of a disk some time after the guest has.
        var isPlugged = false
        for _ in 0..<50 where !isPlugged {
            isPlugged = (try? guest.qmp.execute("device_add", device)) != nil
            if !isPlugged { usleep(100_000) }
        }
        try guest.shell(
            """
            \(HostedGuest.functions); for i in $(busybox seq 200); do \
            [ "$(disk \(serial) 2>/dev/null)" ] && exit 0; busybox usleep 50000; done; exit 1
            """
        )
    }

    @Test func `disks that go and come are told apart, also in the middle`() throws {
        let guest = try boot()
        let first = try name("first", guest)
        let rules = "--rules read-ahead,no-randomness,paravirtual-scheduler-none"
        // It goes while values are written and restored, over and over.
        try guest.shell(
            """
            footing apply \(rules) /dev/\(first) >/dev/null; footing rollback >/dev/null; \
            (while [ -e /sys/block/\(first) ]; do footing apply \(rules) /dev/\(first); \
            footing rollback; done; echo over) >/tmp/apply.log 2>&1 &
            """
        )
        try unplug("first", guest)
        let log = try guest.shell(
            """
            until busybox grep -q ^over /tmp/apply.log; do busybox usleep 50000; done; \
            busybox cat /tmp/apply.log
            """
        )
        #expect(!log.contains("not everything could be undone") && !log.contains("damaged"))
        #expect(try guest.shell("footing rollback") == "nothing to undo\n")
        try plug("first", port: 0, guest)
        // Now the disks come back in another order, and with each other's names.
        let old = try name("first", guest)
        let other = try name("second", guest)
        try guest.shell("echo 8192 >/sys/block/\(old)/queue/read_ahead_kb")
        try guest.shell("footing apply --rules read-ahead /dev/\(old)")
        try unplug("first", guest)
        try unplug("second", guest)
        try plug("second", port: 0, guest)
        try plug("first", port: 1, guest)
        let names = try [name("first", guest), name("second", guest)]
        // The first of them has the first free name.
        #expect(Set(names) == [old, other] && names != [old, other])
        try guest.shell("echo 128 >/sys/block/\(names[1])/queue/read_ahead_kb")
        let undone = try guest.shell("footing rollback")
        #expect(undone == "wrote  \(names[0]) queue/read_ahead_kb: 128 -> 8192\n")
        #expect(try readAhead(names[0], guest) == "8192\n")
        #expect(try readAhead(names[1], guest) == "128\n")
        try rollsBackOnFullDisk(guest, names[0])
    }

    /// A full disk keeps nobody from having everything as it was.
    private func rollsBackOnFullDisk(_ guest: Guest, _ name: String) throws {
        try guest.shell("footing apply --rules read-ahead,no-randomness /dev/\(name)")
        try guest.shell(
            """
            busybox dd if=/dev/zero of=/var/lib/footing/fill bs=64k 2>/dev/null || true; \
            busybox dd if=/dev/zero of=/var/lib/footing/more bs=1k 2>/dev/null || true; \
            busybox sync
            """
        )
        // Nothing more is applied, and that is said.
        let refused = try guest.shell(
            "footing apply --rules no-merges,paravirtual-scheduler-none /dev/\(name) 2>&1 || true"
        )
        #expect(refused.contains("No space left") || refused.contains("wrote"))
        let undone = try guest.shell("footing rollback")
        #expect(undone.contains("\(name) queue/read_ahead_kb: 128 -> 8192"))
        #expect(try readAhead(name, guest) == "8192\n")
        #expect(try guest.shell("footing rollback") == "nothing to undo\n")
    }

    @Test func `the machine's next start has the same again`() throws {
        // As much as the rules for the kernel's cache want.
        let guest = try boot(memoryMebibytes: 4608)
        let attributes = "busybox grep . /proc/sys/vm/dirty_*[os]"
        let before = try guest.shell(attributes)
        let disk = try name("first", guest)
        let rules = "dirty-bytes,dirty-background-bytes,read-ahead"
        try guest.shell("footing apply --rules \(rules) /dev/\(disk)")
        let after = try guest.shell(attributes)
        #expect(after.contains("dirty_bytes:536870912") && after.contains("dirty_ratio:0"))
        #expect(try guest.shell("footing rollback").contains("vm.dirty_ratio"))
        #expect(try guest.shell(attributes) == before)
        try guest.shell("footing apply --rules \(rules) /dev/\(disk); busybox sync")
        // No shutdown: the power is cut.
        guest.kill()
        let next = try boot(memoryMebibytes: 4608)
        #expect(try next.shell(attributes) == before)
        let unit = try HostRoot(path: GuestKit.project).text(
            "Deployment/systemd/footing-tune.service"
        )
        let line = try #require(unit.split(separator: "\n").first { $0.hasPrefix("ExecStart=") })
        let words = line.dropFirst("ExecStart=".count)
        try next.shell("busybox mkdir -p /usr/local/bin; busybox ln -s /bin/footing /usr/local/bin")
        // Not what this start never had is restored, and what was asked for is applied.
        #expect(try next.shell("\(words)").contains("wrote  vm.dirty_bytes: 0 -> 536870912"))
        #expect(try next.shell(attributes) == after)
        #expect(try readAhead(try name("first", next), next) == "128\n")
        try next.shell("footing rollback")
        #expect(try next.shell(attributes) == before)
    }
}
