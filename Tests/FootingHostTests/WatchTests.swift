import FootingDeployment
import FootingHost
import FootingSystem
import Testing

/// Signals that a test makes up, with a clock that moves as they are waited for.
private final class ScriptedSignals: HostSignalSource, TimeSource {
    private let script: Locked<[[HostSignal]]>
    private let now = Locked<UInt64>(0)
    let waits = Locked<[Int32]>([])

    init(_ script: [[HostSignal]]) { self.script = Locked(script) }

    var nanoseconds: UInt64 { now.withLock { $0 } }
    var unixSeconds: UInt64 { 1_700_000_000 }

    func wait(milliseconds: Int32) throws(Errno) -> [HostSignal]? {
        waits.withLock { $0.append(milliseconds) }
        // A signal comes at once; silence takes the whole time.
        let next: [HostSignal]? = script.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        let passed = next?.isEmpty == true ? milliseconds : 50
        now.withLock { $0 += UInt64(passed) * 1_000_000 }
        return next
    }
}

@Suite struct WatchTests {
    private let disk = HostSignal(.device, "add block vdb")
    private let mount = HostSignal(.mounts, "the mount table changed")

    /// A machine that has one more disk each time it is looked at, up to a number of disks.
    private func watch(_ signals: ScriptedSignals, disks: Int) -> DetectionWatch {
        let looks = Locked(0)
        return DetectionWatch(signals: signals, time: signals) {
            let count = looks.withLock { looks in
                looks += 1
                return min(looks, disks)
            }
            let lines = (0..<count).map { "file sys/block/vd\($0)/size 2048" }
            let fixture = MachineFixture("watched", lines)
            guard let detection = try? fixture.withRoot({ Detection(root: $0) }) else {
                preconditionFailure("cannot build a machine")
            }
            return detection
        }
    }

    /// Paths of temporary trees differ from look to look, which no live machine's do.
    private func changes(_ change: DetectionChange?) -> [String] {
        change?.differences.map(\.path).filter { $0 != "root" } ?? []
    }

    @Test func `a swarm of signals is one change`() throws {
        let signals = ScriptedSignals([[], [disk], [mount], [disk], []])
        let change = try watch(signals, disks: 2).next()
        #expect(changes(change) == ["block.vd1"])
        #expect(change?.causes == [disk, mount])
        #expect(change?.unixSeconds == 1_700_000_000)
        #expect(change?.text.contains("block.vd1: appeared") == true)
        #expect(change?.text.contains("device: add block vdb; mounts: the mount") == true)
        // Nothing came before; then the quiet after each signal is waited for.
        #expect(signals.waits.withLock { $0 } == [1000, 1000, 200, 200, 200])
    }

    @Test func `a swarm without end is looked at in time`() throws {
        let signals = ScriptedSignals([[HostSignal]](repeating: [disk], count: 1000))
        #expect(try watch(signals, disks: 2).next() != nil)
        // 2 s of swarm at 50 ms a signal.
        #expect(signals.waits.withLock { $0.count } == 41)
    }

    @Test func `nothing changed is no news, a moved machine is`() throws {
        func next(_ signal: HostSignal) throws -> DetectionChange? {
            let signals = ScriptedSignals([[signal], []])
            let fixture = MachineFixture("still", ["file sys/block/vda/size 2048"])
            return try fixture.withRoot { root in
                try DetectionWatch(signals: signals, time: signals) { Detection(root: root) }.next()
            }
        }
        #expect(try next(disk) == nil)
        let moved = HostSignal(.generation, "dev/vmclock0 changed: the machine was moved")
        let change = try next(moved)
        #expect(change?.differences.isEmpty == true)
        #expect(change?.text.hasPrefix("nothing in the report changed") == true)
    }

    @Test func `a change is one line of JSON`() throws {
        let signals = ScriptedSignals([[disk], []])
        let line = try #require(try watch(signals, disks: 2).next()).json.line()
        #expect(!line.contains("\n"))
        #expect(line.contains(#""schema": "footing.host-change/1""#))
        #expect(line.contains(#""causes": [{"source": "device","what": "add block vdb"}]"#))
    }

    @Test func `documents are compared by the names in their lists`() {
        let before: JSONValue = [
            "disks": [["name": "a", "size": 1], ["name": "b", "size": 2]], "cpus": [0, 1],
            "free": 5, "node": .null,
        ]
        let after: JSONValue = [
            "disks": [["name": "b", "size": 3], ["name": "c", "size": 1]], "cpus": [0],
            "free": 4, "node": ["id": 0],
        ]
        let found = Difference.all(before, after, ignoring: ["free"])
        #expect(
            found.map(\.text) == [
                "cpus: [0,1] -> [0]", "disks.a: gone", "disks.b.size: 2 -> 3",
                "disks.c: appeared", "node: null -> {\"id\": 0}",
            ]
        )
        #expect(Difference.all(after, after).isEmpty)
    }
}
