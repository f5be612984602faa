import FootingHost
import FootingSystem
import Testing

@testable import FootingAcceleration

/// What goes wrong, on the stand-in: the result is right all the same.
@Suite(.timeLimit(.minutes(2))) struct QATFaultTests {
    static let block = Shapes.numbers(16_384)

    /// A fault, and whether the instance that has it may be trusted again.
    static let passing: [(fault: StandIn.Fault, isTrusted: Bool)] = [
        (.overflow, true), (.verifyError, true), (.failed, true), (.corrupt, false),
        (.short, false),
    ]

    private func isRight(_ compressed: [UInt8]?, _ standIn: StandIn) -> Bool {
        compressed.flatMap { standIn.software.inflated($0, count: Self.block.count) } == Self.block
    }

    @Test(arguments: passing)
    func `a request that fails falls back alone`(
        fault: StandIn.Fault,
        isTrusted: Bool
    ) throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator()
        standIn.plan(fault, count: 1, after: 1)
        let compressed = try accelerator.compressed([Self.block, Self.block, Self.block])
        #expect(compressed.allSatisfy { isRight($0, standIn) })
        #expect(accelerator.statistics[.compressDeflate].fallbackCount == 1)
        let counters = accelerator.counters
        #expect(counters.errors + counters.wrongResults == 1)
        #expect(accelerator.operations.contains(.compressDeflate) == isTrusted)
        // Whoever does not look at `operations` is served by the processor.
        #expect(isRight(try accelerator.compressed([Self.block])[0], standIn))
        accelerator.close()
        #expect(standIn.mistakes == [:])
        #expect(standIn.leftovers == [:])
    }

    @Test(arguments: [StandIn.Fault.overflow, .failed, .corrupt, .short])
    func `decompression that fails falls back alone`(fault: StandIn.Fault) throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator()
        let compressed = try standIn.software.deflated(Self.block)
        standIn.plan(fault, count: 1)
        let batch = Array(repeating: (compressed: compressed, count: Self.block.count), count: 3)
        #expect(try accelerator.decompressed(batch) == [Self.block, Self.block, Self.block])
        #expect(accelerator.statistics[.decompressDeflate].fallbackCount == 1)
        accelerator.close()
        #expect(standIn.mistakes == [:])
    }

    @Test
    func `a late answer ends the quarantine of its memory`() throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator { configuration in
            configuration.timeoutMilliseconds = 100
            configuration.timeoutMaximum = 100
            configuration.depth = 2
        }
        try #require(accelerator.operations.contains(.compressDeflate))
        standIn.plan(.late, count: 2)
        let compressed = try accelerator.compressed([Self.block, Self.block])
        #expect(compressed.allSatisfy { isRight($0, standIn) })
        #expect(accelerator.counters.timeouts == 2)
        #expect(accelerator.counters.quarantined == 2)
        // All of the memory waits for an answer, so nothing can be handed over.
        let before = standIn.get("requests")
        #expect(isRight(try accelerator.compressed([Self.block])[0], standIn))
        #expect(standIn.get("requests") == before)
        standIn.release()
        #expect(StandIn.eventually { accelerator.counters.lateAnswers == 2 })
        #expect(accelerator.counters.quarantined == 0)
        #expect(isRight(try accelerator.compressed([Self.block])[0], standIn))
        #expect(standIn.get("requests") == before + 1)
        accelerator.close()
        #expect(standIn.mistakes == [:])
        #expect(standIn.leftovers == [:])
        #expect(standIn.get("stops") == 1)
    }

    @Test
    func `memory of a lost request is never given back`() throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator { $0.timeoutMilliseconds = 100 }
        try #require(accelerator.operations.contains(.compressDeflate))
        standIn.plan(.lost, count: 1)
        #expect(isRight(try accelerator.compressed([Self.block])[0], standIn))
        accelerator.close()
        #expect(standIn.mistakes == [:])
        #expect(standIn.leftovers["live_memory"] ?? 0 > 0)
        #expect(standIn.get("stops") == 0, "to stop would unmap it")
        // The instances belong to that start for good.
        let second = standIn.accelerator()
        #expect(second.obstacle?.problem == "it is already used in this process")
    }

    @Test
    func `an instance that leaves requests unanswered is turned off`() throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator { configuration in
            configuration.timeoutMilliseconds = 100
            configuration.timeoutMaximum = 2
        }
        try #require(accelerator.operations.contains(.compressDeflate))
        standIn.plan(.late, count: 2)
        for _ in 0..<2 {
            #expect(isRight(try accelerator.compressed([Self.block])[0], standIn))
        }
        #expect(!accelerator.operations.contains(.compressDeflate))
        standIn.release()
        #expect(StandIn.eventually { accelerator.counters.lateAnswers == 2 })
        #expect(!accelerator.operations.contains(.compressDeflate), "it is too late")
        accelerator.close()
        #expect(standIn.leftovers == [:])
    }

    @Test
    func `a restart is waited out`() throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator()
        standIn.plan(.restarting, count: 1)
        #expect(isRight(try accelerator.compressed([Self.block])[0], standIn))
        #expect(!accelerator.operations.contains(.compressDeflate))
        let before = standIn.get("requests")
        #expect(isRight(try accelerator.compressed([Self.block])[0], standIn))
        #expect(standIn.get("requests") == before, "it is left alone meanwhile")
        standIn.notify(.restarted)
        #expect(StandIn.eventually { accelerator.operations.contains(.compressDeflate) })
        #expect(isRight(try accelerator.compressed([Self.block])[0], standIn))
        #expect(standIn.get("requests") == before + 1)
        #expect(accelerator.counters.restarts == 1)
        accelerator.close()
        #expect(standIn.mistakes == [:])
        #expect(standIn.leftovers == [:])
    }

    @Test(arguments: [StandIn.Event.restarting, .fatalError])
    func `an event stops requests until the device is back`(event: StandIn.Event) throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator { $0.timeoutMilliseconds = 100 }
        try #require(accelerator.operations.contains(.compressDeflate))
        // Events are asked for while something runs, as this request does.
        standIn.plan(.late, count: 1)
        _ = try accelerator.compressed([Self.block])
        standIn.notify(event)
        #expect(StandIn.eventually { !accelerator.operations.contains(.compressDeflate) })
        #expect(accelerator.counters.restarts > 0)
        standIn.notify(.restarted)
        #expect(StandIn.eventually { accelerator.operations.contains(.compressDeflate) })
        standIn.release()
        #expect(StandIn.eventually { accelerator.counters.quarantined == 0 })
        accelerator.close()
        #expect(standIn.leftovers == [:])
    }

    @Test(arguments: StandIn.Fault.allCases.filter { $0 != .none && $0 != .wrongDigest })
    func `an instance whose first answer is wrong is not registered`(fault: StandIn.Fault) throws {
        let standIn = try StandIn()
        standIn.plan(fault, count: 1)
        let accelerator = standIn.accelerator {
            $0.timeoutMilliseconds = fault == .lost || fault == .late ? 100 : 20_000
        }
        #expect(!accelerator.operations.contains(.compressDeflate))
        var registry = CapabilityRegistry()
        accelerator.register(in: &registry)
        #expect(!registry.has("qat.compression"))
        standIn.release()
        accelerator.close()
        #expect(standIn.mistakes == [:])
    }

    @Test
    func `with many faults of every kind, threads get right blocks`() throws {
        let standIn = try StandIn()
        standIn.set("dc_instances", 2)
        let accelerator = standIn.accelerator { $0.timeoutMilliseconds = 200 }
        try #require(accelerator.operations.contains(.compressDeflate))
        let software = standIn.software
        let wrong = Locked(0)
        for fault in [StandIn.Fault.failed, .overflow, .late, .restarting, .corrupt] {
            standIn.plan(fault, count: 3, after: 2)
            try concurrently(3) { _ in
                for _ in 0..<5 {
                    let batch = [Self.block, Self.block]
                    for compressed in (try? accelerator.compressed(batch)) ?? [nil] {
                        let again = compressed.flatMap {
                            software.inflated($0, count: Self.block.count)
                        }
                        if again != Self.block { wrong.withLock { $0 += 1 } }
                    }
                }
            }
            standIn.release()
            standIn.notify(.restarted)
        }
        #expect(wrong.withLock { $0 } == 0)
        #expect(accelerator.statistics[.compressDeflate].count == 150)
        #expect(StandIn.eventually { accelerator.counters.quarantined == 0 })
        accelerator.close()
        #expect(standIn.mistakes == [:])
        #expect(standIn.leftovers == [:])
    }
}
