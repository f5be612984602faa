import FootingSystem
import Testing

/// Little memory, limited memory, and memory that the hypervisor takes back.
@Suite(
    .needs(.emulator),
    .needs(.shell),
    .needs(.program),
    .needs(.initialProcess),
    .needs(.cloudKernel)
)
struct MemoryGuestTests {
    @Test func `what the balloon holds is counted`() throws {
        let guest = try Guest(
            Machine(
                options: ["-device", "virtio-balloon-pci,id=balloon"],
                modules: ["virtio_pci", "virtio_balloon"]
            )
        )
        let before = try guest.detect()
        #expect(before[path: "memory.balloon.kind"] == "virtio-balloon")
        #expect(before[path: "memory.balloon.currentBytes"] == 0)
        #expect(before[path: "environment.kind"] == "hypervisor")
        let wanted = 192 << 20
        try guest.qmp.execute("balloon", ["value": JSONValue(UInt64(wanted))])
        let deadline = Deadline.after(seconds: 20)
        var actual = 0
        while actual != wanted, deadline.milliseconds > 0 {
            // Asking takes the guest no time, so the wait is in its hands.
            actual = try guest.qmp.execute("query-balloon")["actual"]?.integer ?? 0
        }
        #expect(actual == wanted)
        let after = try guest.detect()
        #expect(after[path: "memory.balloon.currentBytes"]?.integer == 64 << 20)
        let total = try #require(before[path: "memory.totalBytes"]?.integer)
        #expect(after[path: "memory.totalBytes"]?.integer == total - 64 << 20)
    }

    @Test func `no balloon is absent, with the reason`() throws {
        let report = try SharedGuest.plain.restored().detect()
        #expect(report[path: "memory.balloon"] == .null)
        let absence = report["absent"]?.array.first { $0["fact"] == "memory.balloon" }
        #expect(absence?["reason"]?.stringValue?.isEmpty == false)
    }

    @Test func `a control group's limit is the memory there is`() throws {
        let guest = try SharedGuest.plain.restored()
        let report = try guest.shell(
            """
            cd /sys/fs/cgroup; echo +memory >cgroup.subtree_control; mkdir -p a/b; \
            echo +memory >a/cgroup.subtree_control; echo 48M >a/memory.max; \
            echo $$ >a/b/cgroup.procs; exec /bin/footing detect --json
            """
        )
        let limited = try JSONValue(report)
        #expect(limited[path: "memory.limitBytes"]?.integer == 48 << 20)
        #expect(try guest.detect()[path: "memory.limitBytes"] == .null)
    }

    @Test func `128 MiB are enough to detect and to serve`() throws {
        let guest = try Guest(Machine(memoryMebibytes: 128))
        let report = try guest.detect()
        let total = try #require(report[path: "memory.totalBytes"]?.integer)
        #expect(total < 128 << 20)
        let facets = report[path: "environment.facets"]?.array ?? []
        #expect(facets.contains("small-memory"))
        let log = try guest.shell(
            """
            cd /tmp; footing disk create d --size 64M >/dev/null; \
            footing serve d --socket=/tmp/s >log 2>&1 & server=$!; \
            until busybox grep -q ^ready log; do kill -0 $server; busybox usleep 20000; done; \
            kill -TERM $server; wait $server; busybox cat log; footing disk check d
            """
        )
        #expect(log.contains("closed cleanly"))
    }
}
