import FootingHost
import FootingSystem
import Glibc
import Testing

@testable import FootingMemory

private let mebibyte: UInt64 = 1 << 20

@Suite("The monitor")
struct MonitorTests {
    private func machine() throws -> FakeMachine {
        let machine = try FakeMachine([
            "proc/self/cgroup": "0::/disk\n",
            "proc/pressure/memory": stalls(0),
            "sys/fs/cgroup/disk/memory.max": "\(512 * mebibyte)\n",
            "sys/fs/cgroup/disk/memory.current": "\(100 * mebibyte)\n",
            "sys/fs/cgroup/disk/memory.events": "high 0\nmax 0\n",
            "sys/bus/virtio/devices/virtio0/device": "0x0005\n",
            "proc/vmstat": "balloon_inflate 0\nballoon_deflate 0\n",
        ])
        try machine.writeMemory(total: 1_024_000, available: 512_000)
        return machine
    }

    private func stalls(_ microseconds: Int, average: String = "0.00") -> String {
        let rest = "avg10=\(average) avg60=0.00 avg300=0.00 total=\(microseconds)"
        return "some \(rest)\nfull \(rest)\n"
    }

    /// A reading without waiting: the clock is moved, not the world.
    private func next(
        _ monitor: PressureMonitor,
        _ clock: FakeClock,
        milliseconds: UInt64 = 250
    ) throws -> MemoryReading {
        clock.advance(milliseconds: milliseconds)
        return try #require(monitor.next())
    }

    @Test("reads all there is, and names what it does not have")
    func reading() throws {
        let machine = try machine()
        let clock = FakeClock()
        let monitor = try PressureMonitor(root: try machine.root(), time: clock)
        let reading = try next(monitor, clock)
        #expect(reading.machine?.sizeBytes == 1000 * mebibyte)
        #expect(reading.machine?.availableBytes == 500 * mebibyte)
        #expect(reading.group?.availableBytes == 412 * mebibyte)
        #expect(reading.balloon?.currentBalloonBytes == 0)
        #expect(reading.machineStallPercent == 0)
        #expect(reading.events == [])
        let states = Dictionary(
            uniqueKeysWithValues: monitor.sources.map { ($0.name, $0.state) }
        )
        #expect(states["proc/meminfo"] == .sampled)
        #expect(states["balloon"] == .sampled)
        #expect(states["proc/pressure/memory some"] == .sampled)
        #expect(states["sys/fs/cgroup/disk/memory.events"] == .absent)
        #expect(states["$MEMORY_PRESSURE_WATCH"] == .absent)
        #expect(monitor.sources.allSatisfy { !$0.note.isEmpty })
    }

    @Test("a balloon's target that cannot be read any more is named as such, until it can")
    func target() throws {
        let folder = "sys/devices/system/xen_memory/xen_memory0"
        let machine = try FakeMachine([
            "\(folder)/info/current_kb": "1048576\n", "\(folder)/target_kb": "1048576\n",
        ])
        try machine.writeMemory(total: 1_048_576, available: 512_000)
        let clock = FakeClock()
        let monitor = try PressureMonitor(root: try machine.root(), time: clock)
        func source() throws -> PressureSource {
            _ = try next(monitor, clock, milliseconds: 1000)
            return try #require(monitor.sources.first { $0.name == "balloon target" })
        }
        #expect(try source().state == .sampled)
        #expect(try source().note == "\(folder)/target_kb")
        try machine.write("\(folder)/target_kb", "none\n")
        #expect(try source().state == .absent)
        #expect(monitor.balloon.value?.targetSource == nil)
        #expect(try source().note == "it cannot be read any more")
        try machine.write("\(folder)/target_kb", "524288\n")
        #expect(try source().state == .sampled)
        #expect(monitor.balloon.value?.targetSource == "\(folder)/target_kb")
    }

    @Test("of the groups above only what happens to themselves is listened to")
    func neighbours() throws {
        let slice = "sys/fs/cgroup/system.slice"
        let own = "\(slice)/disk.slice/disk.service"
        let machine = try FakeMachine([
            "proc/self/cgroup": "0::/system.slice/disk.slice/disk.service"
        ])
        for folder in [own, "\(slice)/disk.slice", slice] {
            try machine.write("\(folder)/memory.max", "max\n")
            try machine.write("\(folder)/memory.current", "\(100 * mebibyte)\n")
            try machine.write("\(folder)/memory.events", "high 0\nmax 0\n")
        }
        // The middle one is of a kernel that does not have it.
        for folder in [own, slice] {
            try machine.write("\(folder)/memory.events.local", "high 0\nmax 0\n")
        }
        let monitor = try PressureMonitor(root: try machine.root(), time: FakeClock())
        let sources = monitor.sources.filter { $0.name.contains("memory.events") }
        #expect(
            sources.map(\.name) == [
                "\(own)/memory.events", "\(slice)/disk.slice/memory.events.local",
                "\(slice)/memory.events.local",
            ]
        )
        // A recording tells nothing new, but has the file; what is not there has another reason.
        #expect(sources[0].note == sources[2].note)
        #expect(sources[0].note != sources[1].note)
    }

    @Test("looks closer for a while when something moves")
    func quickness() throws {
        let machine = try machine()
        let clock = FakeClock()
        let monitor = try PressureMonitor(root: try machine.root(), time: clock)
        func readings(milliseconds: UInt64) throws -> Int {
            let before = monitor.readingCount
            // The wait is real only for what the clock was not moved by.
            for _ in 0..<milliseconds / 50 {
                let due = monitor.nextNanoseconds
                clock.advance(milliseconds: 50)
                if clock.nanoseconds >= due { _ = monitor.next() }
            }
            return Int(monitor.readingCount - before)
        }
        #expect(try readings(milliseconds: 2000) == 8)
        try machine.write("proc/vmstat", "balloon_inflate 5000\nballoon_deflate 0\n")
        try machine.writeMemory(total: 1_004_000, available: 492_000)
        // At most 250 ms until it is seen, then each 50 ms, for as long as it counts as active.
        #expect(try readings(milliseconds: 2000) >= 35)
        _ = try readings(milliseconds: 8000)
        #expect(try readings(milliseconds: 2000) == 8)
    }

    @Test(
        "a fall of what is available is looked at closely where little is left",
        arguments: [
            (1_000_000, 980_000, false), (1_000_000, 900_000, true), (100_000, 80_000, true),
        ]
    )
    func falling(before: Int, after: Int, isQuick: Bool) throws {
        let machine = try machine()
        let clock = FakeClock()
        try machine.writeMemory(total: 1_024_000, available: before)
        let monitor = try PressureMonitor(root: try machine.root(), time: clock)
        _ = try next(monitor, clock)
        try machine.writeMemory(total: 1_024_000, available: after)
        _ = try next(monitor, clock)
        let wait = monitor.nextNanoseconds - clock.nanoseconds
        #expect(wait == (isQuick ? 50_000_000 : 250_000_000))
        // Neither what comes back nor a trifle is of interest.
        clock.advance(milliseconds: 5000)
        try machine.writeMemory(total: 1_024_000, available: before)
        _ = try next(monitor, clock)
        #expect(monitor.nextNanoseconds - clock.nanoseconds == 250_000_000)
    }

    @Test(
        "looks half as often while plenty is there, of the machine and of the group",
        arguments: [
            // Kibibytes of the machine, in all and available; mebibytes of the group's limit.
            (8_388_608, 4_194_304, nil, true), (8_388_608, 4_194_303, nil, false),
            (3_145_728, 2_097_152, nil, true), (3_145_728, 2_097_151, nil, false),
            (8_388_608, 4_194_304, 4096, true), (8_388_608, 4_194_304, 1024, false),
        ] as [(Int, Int, UInt64?, Bool)]
    )
    func plenty(total: Int, available: Int, limit: UInt64?, isPlenty: Bool) throws {
        let machine = try machine()
        let limit = limit.map { "\($0 * mebibyte)\n" } ?? "max\n"
        try machine.write("sys/fs/cgroup/disk/memory.max", limit)
        try machine.writeMemory(total: total, available: available)
        let clock = FakeClock()
        let monitor = try PressureMonitor(root: try machine.root(), time: clock)
        _ = try next(monitor, clock)
        #expect(
            monitor.nextNanoseconds - clock.nanoseconds == (isPlenty ? 500_000_000 : 250_000_000)
        )
        // Once something moves it is no matter how much is there.
        try machine.write("proc/vmstat", "balloon_inflate 25600\nballoon_deflate 0\n")
        try machine.writeMemory(total: total - 102_400, available: available)
        _ = try next(monitor, clock, milliseconds: 500)
        #expect(monitor.nextNanoseconds - clock.nanoseconds == 50_000_000)
    }

    @Test("a balloon that starts is seen with the next look, not with the next slow one")
    func balloonWithMemory() throws {
        let machine = try machine()
        let clock = FakeClock()
        let monitor = try PressureMonitor(root: try machine.root(), time: clock)
        _ = try next(monitor, clock)
        try machine.write("proc/vmstat", "balloon_inflate 25600\nballoon_deflate 0\n")
        try machine.writeMemory(total: 921_600, available: 409_600)
        let reading = try next(monitor, clock)
        #expect(reading.balloon?.currentBalloonBytes == 100 * mebibyte)
        #expect(reading.balloon?.isActive == true)
    }

    @Test("where there is no trigger, stalls are taken from the totals")
    func sampledStalls() throws {
        let machine = try machine()
        let clock = FakeClock()
        let monitor = try PressureMonitor(root: try machine.root(), time: clock)
        _ = try next(monitor, clock)
        try machine.write("proc/pressure/memory", stalls(30_000, average: "3.00"))
        #expect(try next(monitor, clock, milliseconds: 1000).events == [])
        try machine.write("proc/pressure/memory", stalls(130_000, average: "9.50"))
        let reading = try next(monitor, clock, milliseconds: 1000)
        #expect(reading.events == [.machineStall, .machineFullStall])
        #expect(reading.machineStallPercent == 9.5)
        #expect(try next(monitor, clock).events == [])
    }

    @Test("hostile files never end it", arguments: UInt64(1)...40)
    func hostile(seed: UInt64) throws {
        let machine = try machine()
        let clock = FakeClock()
        var random = SeededRandom(seed: seed)
        let paths = [
            "proc/meminfo", "proc/vmstat", "proc/pressure/memory", "sys/fs/cgroup/disk/memory.max",
            "sys/fs/cgroup/disk/memory.current", "sys/fs/cgroup/disk/memory.events",
        ]
        if random.oneIn(2) {
            for path in paths where random.oneIn(2) {
                FileDescriptor.remove("\(machine.path)/\(path)")
            }
        }
        let monitor = try PressureMonitor(root: try machine.root(), time: clock)
        for _ in 0..<100 {
            let bytes = (0..<random.below(5000)).map { _ in UInt8(random.below(128)) }
            let number = "MemTotal: \(random.next()) kB\nMemAvailable: \(random.next() >> 20) kB\n"
            let text = random.oneIn(2) ? String(decoding: bytes, as: UTF8.self) : number
            try machine.write(paths[random.below(paths.count)], text)
            let reading = try next(monitor, clock, milliseconds: 1000)
            if let room = reading.machine { #expect(room.availableBytes <= UInt64.max) }
            if let room = reading.group { #expect(room.availableBytes <= room.sizeBytes) }
        }
    }

    @Test("nothing at all: every absence has a reason")
    func nothing() throws {
        let machine = try FakeMachine()
        let clock = FakeClock()
        let monitor = try PressureMonitor(root: try machine.root(), time: clock)
        #expect(try next(monitor, clock) == MemoryReading())
        #expect(monitor.sources.allSatisfy { $0.state == .absent && !$0.note.isEmpty })
        #expect(monitor.balloon.absence?.isEmpty == false)
    }

    @Test("is stopped for good, until it is resumed")
    func stopped() throws {
        let machine = try machine()
        let monitor = try PressureMonitor(root: try machine.root())
        monitor.stop()
        #expect(monitor.next() == nil)
        #expect(monitor.next() == nil)
        monitor.resume()
        #expect(monitor.next() != nil)
    }
}
