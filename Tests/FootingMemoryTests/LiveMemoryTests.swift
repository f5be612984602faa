import FootingHost
import FootingSystem
import Glibc
import Testing

@testable import FootingMemory

/// The monitor on the kernel that the tests run on.
@Suite("On the live machine", .serialized)
struct LiveMemoryTests {
    private func names(_ monitor: PressureMonitor, _ state: PressureSource.State) -> [String] {
        monitor.sources.filter { $0.state == state }.map(\.name)
    }

    @Test("memory is read, and each source is listened to or has a reason")
    func sources() throws {
        let monitor = try PressureMonitor(root: try HostRoot())
        let reading = try #require(monitor.next())
        let total = try #require(reading.machine?.sizeBytes)
        #expect(total > 32 << 20)
        #expect(reading.machine?.availableBytes ?? .max <= total)
        for source in monitor.sources { print("\(source.name): \(source.state): \(source.note)") }
        if (try? HostRoot().bytes("proc/pressure/memory")) != nil {
            #expect(reading.machineStallPercent != nil)
            let name = "proc/pressure/memory some"
            #expect(monitor.sources.contains { $0.name == name })
        }
    }

    @Test("at rest it wakes four times a second")
    func rest() throws {
        let monitor = try PressureMonitor(root: try HostRoot())
        let seconds: UInt64 = 4
        // What happens when everything is opened does not count.
        for _ in 0..<12 { _ = monitor.next() }
        let quietFrom = SystemClock().nanoseconds
        let before = processorNanoseconds()
        var wakes = 0
        var quickWakes = 0
        var toldWakes = 0
        while SystemClock().nanoseconds < quietFrom + seconds * 1_000_000_000 {
            let due = monitor.nextNanoseconds
            let now = SystemClock().nanoseconds
            if due > now, due - now < 100_000_000 { quickWakes += 1 }
            _ = monitor.next()
            wakes += 1
            if SystemClock().nanoseconds < due { toldWakes += 1 }
        }
        let used = processorNanoseconds() - before
        let share = Double(used) / Double(seconds) / 1e7
        print("monitor at rest: \(wakes) wake-ups in \(seconds) s, \(share) % of a core")
        // Others who use memory meanwhile make it look closer, and sources tell: that is not rest.
        if quickWakes == 0, toldWakes == 0 { #expect(wakes <= Int(seconds) * 4 + 1) }
        // Where all of them tell all the time, each does so every 50 ms, as do the looks.
        let sourceCount = names(monitor, .waited).count
        #expect(wakes <= Int(seconds) * 20 * (1 + sourceCount) + 1)
    }

    private func processorNanoseconds() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    @Test(
        "a group that meets its limit tells, by every way that there is; one that goes is named",
        .enabled(if: TestGroup.obstacle == nil, "\(TestGroup.obstacle ?? "")")
    )
    func group() throws {
        let group = try TestGroup("live")
        let monitor = try PressureMonitor(
            root: try HostRoot(),
            groups: .known(group.groups),
            serviceManager: ServiceManagerPressure()
        )
        let waited = names(monitor, .waited).filter { $0.hasPrefix("sys/") }
        #expect(waited.contains { $0.hasSuffix("memory.pressure some") })
        try group.thrash()
        let isOld = group.groups.version == .version1
        let other: PressureEvents = isOld ? .groupMedium : .groupLimit
        let expected = other.union(.groupStall)
        var heard: PressureEvents = []
        let start = SystemClock().nanoseconds
        while !heard.isSuperset(of: expected),
            SystemClock().nanoseconds < start + 15_000_000_000
        {
            guard let reading = monitor.next() else { break }
            heard.formUnion(reading.events)
            #expect(reading.group?.sizeBytes == TestGroup.limitBytes)
        }
        print("heard \(heard.names) after \((SystemClock().nanoseconds - start) / 1_000_000) ms")
        #expect(heard.isSuperset(of: expected))
        group.remove()
        let gone = SystemClock().nanoseconds
        // Nothing that is gone keeps it awake: each can tell that it is gone, once.
        var told = 0
        while SystemClock().nanoseconds < gone + 3_000_000_000 {
            let reading = try #require(monitor.next())
            if !reading.events.isDisjoint(with: expected) { told += 1 }
        }
        #expect(told <= 4)
        let left = names(monitor, .waited).filter { $0.hasPrefix("sys/") }
        #expect(left.allSatisfy { $0.contains("memory.pressure_level") })
    }
}
