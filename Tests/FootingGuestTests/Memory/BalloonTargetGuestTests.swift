import FootingSystem
import Glibc
import Testing

/// What a balloon is to have, as the guest finds out from the device.
@Suite(
    .needs(.emulator),
    .needs(.shell),
    .needs(.program),
    .needs(.initialProcess),
    .needs(.cloudKernel)
)
struct BalloonTargetGuestTests {
    private static let mebibyte = 1 << 20
    private static let memoryMebibytes = 256

    private static func guest(_ device: String, _ kernelWords: [String] = []) throws -> Guest {
        let guest = try Guest(
            Machine(
                memoryMebibytes: memoryMebibytes,
                options: ["-device", "virtio-balloon-pci,id=balloon,\(device)"],
                modules: ["virtio_pci", "virtio_balloon"],
                kernelWords: kernelWords
            )
        )
        try guest.awaitPaths("/sys/bus/virtio/drivers/virtio_balloon/virtio*", count: 1)
        return guest
    }

    /// Serves a small disk in the background; what stands before `footing` may change the user.
    private static func serve(_ guest: Guest, _ command: (String) -> String = { $0 }) throws {
        try guest.shell(
            """
            busybox chmod 777 /tmp; cd /tmp; footing disk create d --size 64M >/dev/null; \
            busybox chmod 666 d; \
            ( \(command("footing serve d --socket=/tmp/s")) ) >log 2>&1 & \
            until busybox grep -q ^ready log; do \
            kill -0 $! || { busybox cat log; exit 1; }; busybox usleep 20000; done
            """
        )
    }

    /// Asks for a size of the guest, and waits until the status tells that target.
    private static func target(_ guest: Guest, forMebibytes wanted: Int) throws -> JSONValue {
        try guest.qmp.execute("balloon", ["value": JSONValue(UInt64(wanted * mebibyte))])
        let deadline = Deadline.after(seconds: 20)
        while true {
            let balloon = try balloon(guest)
            let target = balloon["targetBalloonBytes"]?.integer
            if target == (memoryMebibytes - wanted) * mebibyte || deadline.milliseconds == 0 {
                return balloon
            }
            usleep(50_000)
        }
    }

    private static func balloon(_ guest: Guest, _ words: String = "") throws -> JSONValue {
        let statuses = try JSONValue(guest.shell("\(words)footing status --json"))
        let disk = statuses["disks"]?.array.first
        return disk?["pressure"]?["balloon"] ?? .null
    }

    @Test(
        arguments: [
            ("disable-legacy=on,disable-modern=off", "the configuration window of 0000:"),
            // QEMU's balloon has no MSI-X.
            ("disable-legacy=off,disable-modern=off", "I/O port 20 of 0000:"),
            ("disable-legacy=off,disable-modern=on", "I/O port 20 of 0000:"),
        ]
    )
    func `the target is what the host asks for`(device: String, source: String) throws {
        let guest = try Self.guest(device)
        try Self.serve(guest)
        for wanted in [176, 200, 256] {
            let balloon = try Self.target(guest, forMebibytes: wanted)
            let bytes = (Self.memoryMebibytes - wanted) * Self.mebibyte
            #expect(balloon["targetBalloonBytes"]?.integer == bytes, "\(balloon.text())")
            #expect(balloon["targetSource"]?.stringValue?.hasPrefix(source) == true)
            #expect(balloon["targetAbsent"] == .null)
        }
        // Nothing was written that the driver minds: it still does as it is told.
        let deadline = Deadline.after(seconds: 20)
        try guest.qmp.execute("balloon", ["value": JSONValue(UInt64(208 * Self.mebibyte))])
        var actual = 0
        while actual != 208, deadline.milliseconds > 0 {
            actual = try guest.qmp.execute("query-balloon")["actual"]?.integer ?? 0
            actual /= Self.mebibyte
        }
        #expect(actual == 208)
    }

    @Test func `who may not ask the device is told why`() throws {
        let guest = try Self.guest("disable-legacy=on")
        try guest.shell(
            """
            busybox mkdir -p /etc; echo 'guest:x:1000:1000::/tmp:/bin/sh' >/etc/passwd; \
            busybox ln -s busybox /bin/sh
            """
        )
        let user = "busybox su -s /bin/sh guest -c"
        try Self.serve(guest) { "\(user) 'exec \($0)'" }
        let statuses = try JSONValue(guest.shell("\(user) 'footing status --json'"))
        let pressure = statuses["disks"]?.array.first?["pressure"]
        let reason = pressure?["balloon"]?["targetAbsent"]?.stringValue ?? ""
        #expect(reason.contains("CAP_SYS_ADMIN is missing"), "\(statuses.text())")
        #expect(pressure?["balloon"]?["targetBalloonBytes"] == .null)
        let source = pressure?["sources"]?.array.first { $0["name"] == "balloon target" }
        #expect(source?["state"] == "absent")
    }

    @Test func `a kernel in lockdown leaves the ports alone, and refuses the window`() throws {
        let modern = try Self.guest("disable-legacy=on", ["lockdown=integrity"])
        try Self.serve(modern)
        let reason = try Self.balloon(modern)["targetAbsent"]?.stringValue ?? ""
        #expect(reason.contains("lockdown"), "\(reason)")
        let transitional = try Self.guest("disable-legacy=off", ["lockdown=integrity"])
        try Self.serve(transitional)
        let balloon = try Self.target(transitional, forMebibytes: 200)
        #expect(balloon["targetBalloonBytes"]?.integer == 56 * Self.mebibyte)
    }
}
