import FootingHost
import FootingSystem
import Testing

@testable import FootingMemory

private let mebibyte: UInt64 = 1 << 20

@Suite("What control groups leave")
struct GroupTests {
    private let own = "sys/fs/cgroup/system.slice/disk.service"
    private let slice = "sys/fs/cgroup/system.slice"

    private func machine() throws -> FakeMachine {
        try FakeMachine([
            "proc/self/cgroup": "0::/system.slice/disk.service\n",
            "\(own)/memory.max": "max\n", "\(own)/memory.high": "\(400 * mebibyte)\n",
            "\(own)/memory.current": "\(100 * mebibyte)\n",
            "\(own)/memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n",
            "\(slice)/memory.max": "\(1000 * mebibyte)\n", "\(slice)/memory.high": "max\n",
            "\(slice)/memory.current": "\(500 * mebibyte)\n",
            "sys/fs/cgroup/cgroup.controllers": "memory\n",
        ])
    }

    private func limits(_ machine: FakeMachine) throws -> GroupLimits {
        let root = try machine.root()
        var limits = GroupLimits(try #require(MemoryGroups.find(root).value), root)
        var buffer: [UInt8] = []
        limits.refresh(&buffer)
        return limits
    }

    private func headroom(_ limits: GroupLimits, machine: UInt64? = nil) -> Headroom? {
        var buffer: [UInt8] = []
        return limits.headroom(machineBytes: machine, &buffer)
    }

    @Test("the group that has the least left counts, whichever it is")
    func tightest() throws {
        let machine = try machine()
        let limits = try limits(machine)
        #expect(limits.paths == [own, slice])
        #expect(limits.tightestBytes == 400 * mebibyte)
        let ownRoom = Headroom(sizeBytes: 400 * mebibyte, availableBytes: 300 * mebibyte)
        #expect(headroom(limits) == ownRoom)
        try machine.write("\(slice)/memory.current", "\(750 * mebibyte)\n")
        let sliceRoom = Headroom(sizeBytes: 1000 * mebibyte, availableBytes: 250 * mebibyte)
        #expect(headroom(limits) == sliceRoom)
        // A limit above what there is limits nothing.
        #expect(headroom(limits, machine: 900 * mebibyte) == ownRoom)
        #expect(headroom(limits, machine: 400 * mebibyte) == nil)
    }

    @Test("clean cached files are there to be had")
    func cachedFiles() throws {
        let machine = try machine()
        try machine.write("\(own)/memory.current", "\(395 * mebibyte)\n")
        try machine.write(
            "\(own)/memory.stat",
            """
            anon 1048576
            file 99999999
            file_dirty \(10 * mebibyte)
            file_writeback \(5 * mebibyte)
            inactive_file \(60 * mebibyte)
            active_file \(40 * mebibyte)
            unevictable 0

            """
        )
        let limits = try limits(machine)
        #expect(headroom(limits)?.availableBytes == 90 * mebibyte)
        try machine.write("\(own)/memory.stat", "inactive_file 99999999999999999\n")
        #expect(headroom(limits)?.availableBytes == 400 * mebibyte)
        try machine.write("\(own)/memory.stat", "nonsense")
        #expect(headroom(limits)?.availableBytes == 5 * mebibyte)
    }

    @Test("what is used beyond a limit is told, and counts first")
    func excess() throws {
        let machine = try machine()
        try machine.write("\(own)/memory.current", "\(600 * mebibyte)\n")
        try machine.write("\(own)/memory.stat", "inactive_file \(30 * mebibyte)\n")
        try machine.write("\(slice)/memory.current", "\(1001 * mebibyte)\n")
        let room = headroom(try limits(machine))
        #expect(room?.sizeBytes == 400 * mebibyte)
        #expect(room?.availableBytes == 0)
        #expect(room?.excessBytes == 170 * mebibyte)
    }

    @Test("limits are read again, and nonsense is none")
    func changing() throws {
        let machine = try machine()
        var limits = try limits(machine)
        var buffer: [UInt8] = []
        try machine.write("\(own)/memory.max", "\(64 * mebibyte)\n")
        limits.refresh(&buffer)
        let over = Headroom(
            sizeBytes: 64 * mebibyte,
            availableBytes: 0,
            excessBytes: 36 * mebibyte
        )
        #expect(headroom(limits) == over)
        for text in ["", "max", "-1", "9223372036854771712", "\u{0}\u{1}"] {
            try machine.write("\(own)/memory.max", text)
            try machine.write("\(own)/memory.high", text)
            limits.refresh(&buffer)
            #expect(headroom(limits)?.sizeBytes == 1000 * mebibyte)
        }
    }

    @Test("version 1")
    func version1() throws {
        let group = "sys/fs/cgroup/memory/disk"
        let machine = try FakeMachine([
            "proc/self/cgroup": "4:memory:/disk\n0::/other\n",
            "\(group)/memory.limit_in_bytes": "\(100 * mebibyte)\n",
            "\(group)/memory.usage_in_bytes": "\(90 * mebibyte)\n",
            "\(group)/memory.stat": "inactive_file 1\ntotal_inactive_file \(3 * mebibyte)\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "1\n",
            "sys/fs/cgroup/unified/other/memory.pressure": "",
        ])
        let found = try #require(MemoryGroups.find(try machine.root()).value)
        #expect(found.version == .version1)
        #expect(found.folders == [group, "sys/fs/cgroup/memory"])
        #expect(found.pressureFolder == "sys/fs/cgroup/unified/other")
        let room = headroom(try limits(machine))
        #expect(room == Headroom(sizeBytes: 100 * mebibyte, availableBytes: 13 * mebibyte))
    }

    @Test("a container sees its own group as the topmost one")
    func container() throws {
        let machine = try FakeMachine([
            "proc/self/cgroup": "4:memory:/docker/0123\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "\(100 * mebibyte)\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "0\n",
        ])
        let found = try #require(MemoryGroups.find(try machine.root()).value)
        #expect(found.folders == ["sys/fs/cgroup/memory"])
        #expect(headroom(try limits(machine))?.availableBytes == 100 * mebibyte)
    }

    @Test("no groups have a reason", arguments: ["", "nonsense", "0::relative", "3:cpu:/x"])
    func none(text: String) throws {
        let machine = try FakeMachine(["proc/self/cgroup": text])
        #expect(MemoryGroups.find(try machine.root()).absence?.isEmpty == false)
    }

    @Test("counts that grow are events")
    func events() throws {
        let machine = try machine()
        let path = "\(own)/memory.events"
        var buffer: [UInt8] = []
        try machine.write(path, "low 0\nhigh 3\nmax 4\noom 1\noom_kill 0\n")
        var events = GroupEvents(try SampledFile(path, try machine.root()), &buffer)
        #expect(try events.events(&buffer) == [])
        try machine.write(path, "low 9\nhigh 4\nmax 4\noom 1\noom_kill 0\n")
        #expect(try events.events(&buffer) == .groupLimit)
        #expect(try events.events(&buffer) == [])
        try machine.write(path, "low 9\nhigh 4\nmax 4\noom 1\noom_kill 1\n")
        #expect(try events.events(&buffer) == .groupOutOfMemory)
        // Counts that start again are no event.
        try machine.write(path, "")
        #expect(try events.events(&buffer) == [])
    }
}
