import FootingHost
import FootingSystem
import Testing

@testable import FootingMemory

private let mebibyte: UInt64 = 1 << 20

@Suite("The balloon's state")
struct BalloonDriverTests {
    private let virtio = "sys/bus/virtio/devices/virtio3"

    private func virtioMachine(features: String) throws -> FakeMachine {
        try FakeMachine([
            "\(virtio)/device": "0x0005\n",
            "\(virtio)/features": features + "\n",
            "proc/vmstat": "nr_free_pages 7\nballoon_inflate 131072\nballoon_deflate 65536\n",
        ])
    }

    private func driver(_ machine: FakeMachine) throws -> BalloonDriver {
        try #require(BalloonDriver.find(try machine.root()).value)
    }

    private func status(
        _ driver: inout BalloonDriver,
        _ memory: MemoryInfo,
        second: UInt64 = 1
    ) throws -> BalloonStatus {
        var buffer: [UInt8] = []
        return try #require(
            driver.read(memory, at: second * 1_000_000_000, buffer: &buffer).value
        )
    }

    private let memory = MemoryInfo(
        totalBytes: 1000 * mebibyte,
        availableBytes: 500 * mebibyte
    )

    @Test("virtio: events less their reversals, and movement")
    func virtioEvents() throws {
        let machine = try virtioMachine(features: "0100010000")
        var driver = try driver(machine)
        let first = try status(&driver, memory)
        #expect(first.currentBalloonBytes == 256 * mebibyte)
        #expect(first.targetBalloonBytes.absence?.isEmpty == false)
        #expect(first.guestMemoryBytes == 1000 * mebibyte)
        #expect(!first.isActive)
        try machine.write("proc/vmstat", "balloon_inflate 131328\nballoon_deflate 65536\n")
        let second = try status(&driver, memory, second: 2)
        #expect(second.currentBalloonBytes == 257 * mebibyte)
        #expect(second.isActive)
        #expect(try status(&driver, memory, second: 6).isActive)
        #expect(try !status(&driver, memory, second: 8).isActive)
    }

    @Test("virtio: a way to the target that is lost is looked for again, once a minute")
    func lostTarget() throws {
        let function = FakeFunction(device: 0x1002)
        let searches = Locked(0)
        let machine = try virtioMachine(features: "0100010000")
        let found = BalloonDriver.find(try machine.root()) { _ in
            searches.withLock { $0 += 1 }
            return VirtioBalloonTarget.find("0000:00:03.0", function)
        }
        var driver = try #require(found.value)
        let first = try status(&driver, memory)
        #expect(first.targetBalloonBytes == .known(mebibyte))
        #expect(first.targetSource == "I/O port 24 of 0000:00:03.0")
        // The driver is bound anew, and does without vectors; for a while the device is away.
        function.state.withLock { state in
            state.space[0x73] = 0
            state.shownBytes = 0
        }
        for second in [10, 11, 69] as [UInt64] {
            let lost = try status(&driver, memory, second: second)
            #expect(lost.targetBalloonBytes.absence?.contains("something else") == true)
            #expect(lost.targetSource == nil)
        }
        #expect(searches.withLock { $0 } == 1)
        #expect(try status(&driver, memory, second: 70).targetSource == nil)
        function.state.withLock { $0.shownBytes = 256 }
        #expect(try status(&driver, memory, second: 129).targetSource == nil)
        #expect(searches.withLock { $0 } == 2)
        let again = try status(&driver, memory, second: 130)
        #expect(again.targetBalloonBytes == .known(mebibyte))
        #expect(again.targetSource == "I/O port 20 of 0000:00:03.0")
        #expect(searches.withLock { $0 } == 3)
    }

    @Test("virtio: a way that comes back is taken again, and what never was is not looked for")
    func returnedTarget() throws {
        let function = FakeFunction(device: 0x1002)
        let searches = Locked(0)
        let machine = try virtioMachine(features: "0100010000")
        func find() throws -> BalloonDriver {
            let driver = BalloonDriver.find(try machine.root()) { _ in
                searches.withLock { $0 += 1 }
                return VirtioBalloonTarget.find("0000:00:03.0", function)
            }
            return try #require(driver.value)
        }
        var driver = try find()
        for second in 1...200 as ClosedRange<UInt64> {
            // Away for half a minute, twice.
            let isAway = (30..<60).contains(second) || (80..<110).contains(second)
            function.state.withLock { $0.pages = isAway ? .max : 512 }
            let status = try status(&driver, memory, second: second)
            #expect((status.targetSource == nil) == isAway)
        }
        #expect(searches.withLock { $0 } == 1)
        function.state.withLock { $0.shownBytes = 0 }
        var other = try find()
        for second in 1...200 as ClosedRange<UInt64> {
            #expect(try status(&other, memory, second: second).targetSource == nil)
        }
        #expect(searches.withLock { $0 } == 2)
    }

    @Test("virtio that gives way leaves the total as it is, and is taken off")
    func virtioGivesWay() throws {
        var driver = try driver(try virtioMachine(features: "0110010000"))
        #expect(try status(&driver, memory).guestMemoryBytes == 744 * mebibyte)
    }

    @Test("virtio: the kernel's own count where there is one")
    func virtioCounted() throws {
        var driver = try driver(try virtioMachine(features: "0"))
        var counted = memory
        counted.balloonBytes = 5 * mebibyte
        #expect(try status(&driver, counted).currentBalloonBytes == 5 * mebibyte)
    }

    @Test("VMware: size and target in debugfs")
    func vmware() throws {
        let machine = try FakeMachine([
            "sys/module/vmw_balloon/refcnt": "0",
            "sys/kernel/debug/vmmemctl": """
            balloon capabilities:   0x1e
            target:                32768 pages
            current:               16384 pages
            rateSleepAlloc:         2048
            timer:                   119

            """,
        ])
        var driver = try driver(machine)
        let status = try status(&driver, memory)
        #expect(status.currentBalloonBytes == 64 * mebibyte)
        #expect(status.targetBalloonBytes == .known(128 * mebibyte))
        #expect(status.guestMemoryBytes == 936 * mebibyte)
        #expect(status.isActive)
    }

    @Test("VMware without debugfs: the larger of events and pages")
    func vmwareEvents() throws {
        let machine = try FakeMachine([
            "sys/module/vmw_balloon/refcnt": "0",
            "proc/vmstat": "balloon_inflate 512\nballoon_deflate 0\n",
        ])
        var driver = try driver(machine)
        var counted = memory
        counted.balloonBytes = mebibyte
        #expect(try status(&driver, counted).currentBalloonBytes == 2 * mebibyte)
        #expect(try status(&driver, counted).targetBalloonBytes.value == nil)
    }

    @Test("Hyper-V: pages in debugfs, of the size it says")
    func hyperV() throws {
        let id = "{525074dc-8985-46e2-8057-a307dc18a502}"
        let machine = try FakeMachine([
            "sys/bus/vmbus/devices/1eccfd72/class_id": id,
            "sys/kernel/debug/hv-balloon": """
            host_version : 2.0
            state : 1 (Initialized)
            page_size : 4096
            pages_ballooned : 2560

            """,
        ])
        var driver = try driver(machine)
        let status = try status(&driver, memory)
        #expect(status.currentBalloonBytes == 10 * mebibyte)
        #expect(status.guestMemoryBytes == 1000 * mebibyte)
        #expect(status.targetBalloonBytes.value == nil)
    }

    @Test("Xen: what the guest has, and is to have")
    func xen() throws {
        let folder = "sys/devices/system/xen_memory/xen_memory0"
        let machine = try FakeMachine([
            "\(folder)/info/current_kb": "1048576\n", "\(folder)/target_kb": "1048576\n",
        ])
        var driver = try driver(machine)
        #expect(try status(&driver, memory).currentBalloonBytes == 0)
        #expect(try !status(&driver, memory).isActive)
        try machine.write("\(folder)/target_kb", "524288\n")
        try machine.write("\(folder)/info/current_kb", "786432\n")
        let status = try status(&driver, memory, second: 2)
        #expect(status.currentBalloonBytes == 256 * mebibyte)
        #expect(status.targetBalloonBytes == .known(512 * mebibyte))
        #expect(status.isActive)
    }

    @Test("a balloon near its target is there, and one that stands still goes nowhere")
    func standsStill() throws {
        let folder = "sys/devices/system/xen_memory/xen_memory0"
        let machine = try FakeMachine([
            "\(folder)/info/current_kb": "4194304\n", "\(folder)/target_kb": "4190208\n",
        ])
        let memory = MemoryInfo(totalBytes: 4096 * mebibyte, availableBytes: 500 * mebibyte)
        var driver = try driver(machine)
        // 4 MiB of 4 GiB are still to go, and stay so.
        #expect(try !status(&driver, memory, second: 1).isActive)
        try machine.write("\(folder)/target_kb", "3145728\n")
        #expect(try status(&driver, memory, second: 100).isActive)
        try machine.write("\(folder)/info/current_kb", "4000000\n")
        #expect(try status(&driver, memory, second: 120).isActive)
        #expect(try status(&driver, memory, second: 149).isActive)
        #expect(try !status(&driver, memory, second: 151).isActive)
        // It is wanted elsewhere.
        try machine.write("\(folder)/target_kb", "3500000\n")
        #expect(try status(&driver, memory, second: 200).isActive)
        #expect(try !status(&driver, memory, second: 231).isActive)
    }

    @Test("a balloon that goes, and one that never was, have a reason")
    func gone() throws {
        let machine = try virtioMachine(features: "0")
        var driver = try driver(machine)
        for text in ["", "balloon_inflate", "balloon_inflate 1\nballoon_deflate 2\n", "\0\0\u{ff}"]
        {
            try machine.write("proc/vmstat", text)
            var buffer: [UInt8] = []
            let status = driver.read(memory, at: 1, buffer: &buffer)
            #expect(status.absence?.contains("virtio") == true)
        }
        try machine.write(
            "proc/vmstat",
            "balloon_inflate 18446744073709551615\nballoon_deflate 0\n"
        )
        var buffer: [UInt8] = []
        #expect(driver.read(memory, at: 1, buffer: &buffer).value == nil)
        let empty = try FakeMachine(["proc/meminfo": ""])
        #expect(BalloonDriver.find(try empty.root()).absence?.isEmpty == false)
    }

    @Test("a recording is read like a machine")
    func recording() throws {
        let tree = try RecordedTree([
            "proc/vmstat": .file(Array("balloon_inflate 3\nballoon_deflate 1\n".utf8)),
            "\(virtio)/device": .file(Array("0x0005\n".utf8)),
        ])
        let root = HostRoot(path: "recorded", recording: tree)
        var driver = try #require(BalloonDriver.find(root).value)
        #expect(try status(&driver, memory).currentBalloonBytes == 8192)
    }
}
