import FootingHost
import FootingSystem
import Testing

@testable import FootingAcceleration

/// What goes well, on the stand-in.
@Suite(.timeLimit(.minutes(2))) struct QATRequestTests {
    /// Blocks of every kind and of sizes that the device takes.
    static let blocks: [[UInt8]] = Shapes.kinds.flatMap { kind in
        [16_384, 20_001, 65_536].map { kind.make($0) }
    }

    @Test(arguments: [false, true])
    func `a batch on the stand-in gives what the processor reads`(isOutOfOrder: Bool) throws {
        let standIn = try StandIn()
        standIn.set("is_out_of_order", isOutOfOrder ? 1 : 0)
        let accelerator = standIn.accelerator()
        let compressed = try accelerator.compressed(Self.blocks)
        for (block, compressed) in zip(Self.blocks, compressed) {
            guard let compressed else { continue }
            #expect(compressed.count < block.count)
            #expect(standIn.software.inflated(compressed, count: block.count) == block)
        }
        #expect(compressed.filter { $0 == nil }.count == 3, "random bytes do not get smaller")
        // Twenty-one at once, and there is room for four: some may find none.
        let line = accelerator.statistics[.compressDeflate]
        #expect(line.count == UInt64(Self.blocks.count))
        #expect(line.fallbackCount == accelerator.counters.busy)
        #expect(accelerator.counters.requests == line.count - line.fallbackCount + 4)
        accelerator.close()
        #expect(standIn.mistakes == [:])
        #expect(standIn.leftovers == [:])
        #expect(standIn.get("stops") == 1)
    }

    @Test
    func `a full ring is not waited for`() throws {
        let standIn = try StandIn()
        standIn.set("depth", 2)
        let accelerator = standIn.accelerator { $0.depth = 16 }
        let blocks = Array(repeating: Shapes.text(16_384), count: 16)
        standIn.set("stalled_requests", 16)
        let compressed = try accelerator.compressed(blocks)
        #expect(compressed.allSatisfy { $0 != nil })
        #expect(standIn.get("retries") == 14)
        #expect(accelerator.counters.busy == UInt64(standIn.get("retries")))
        accelerator.close()
        #expect(standIn.mistakes == [:])
    }

    @Test
    func `decompression on the stand-in gives the blocks back`() throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator()
        let compressible = Self.blocks.filter { standIn.software.mayShrink($0) }
        let batch = try compressible.map {
            (compressed: try standIn.software.deflated($0), count: $0.count)
        }
        var again = try accelerator.decompressed(batch)
        #expect(again == compressible)
        // One at a time, all of them have room.
        again = try batch.flatMap { try accelerator.decompressed([$0]) }
        #expect(again == compressible)
        let line = accelerator.statistics[.decompressDeflate]
        #expect(line.count == UInt64(2 * batch.count))
        #expect(line.fallbackCount <= UInt64(batch.count))
        #expect(line.timedNanoseconds > 0)
        accelerator.close()
        #expect(standIn.mistakes == [:])
    }

    @Test
    func `damaged bytes are the processor's to judge`() throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator()
        let block = Shapes.text(16_384)
        var damaged = try standIn.software.deflated(block)
        damaged[damaged.count / 2] ^= 0x55
        let short = Array(try standIn.software.deflated(block).dropLast(9))
        let results = try accelerator.decompressed([
            (damaged, block.count), (short, block.count), (Array("no deflate".utf8), block.count),
        ])
        #expect(results.allSatisfy { $0 != block })
        #expect(results[1] == nil)
        #expect(accelerator.operations.contains(.decompressDeflate), "the device is not to blame")
        accelerator.close()
        #expect(standIn.mistakes == [:])
    }

    @Test
    func `what is too small or too large stays with the processor`() throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator()
        let before = standIn.get("requests")
        let blocks = [4096, 16_383, 65_537].map { Shapes.text($0) }
        let compressed = try accelerator.compressed(blocks)
        for (block, compressed) in zip(blocks, compressed) {
            #expect(standIn.software.inflated(compressed ?? [], count: block.count) == block)
        }
        #expect(standIn.get("requests") == before)
        #expect(accelerator.statistics[.compressDeflate].fallbackCount == 0)
        accelerator.close()
    }

    @Test
    func `threads share the instances`() throws {
        let standIn = try StandIn()
        standIn.set("dc_instances", 3)
        let accelerator = standIn.accelerator()
        let software = standIn.software
        let wrong = Locked(0)
        try concurrently(4) { thread in
            for round in 0..<20 {
                let block = Shapes.kinds[(thread + round) % Shapes.kinds.count].make(16_384)
                let result = try? accelerator.compressed([block, block])
                for compressed in result ?? [] {
                    guard let compressed else { continue }
                    if software.inflated(compressed, count: block.count) != block {
                        wrong.withLock { $0 += 1 }
                    }
                }
                if result == nil { wrong.withLock { $0 += 1 } }
            }
        }
        #expect(wrong.withLock { $0 } == 0)
        #expect(accelerator.statistics[.compressDeflate].count == 160)
        accelerator.close()
        #expect(standIn.mistakes == [:])
        #expect(standIn.leftovers == [:])
    }

    @Test
    func `only what an instance proved is registered`() throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator()
        var registry = CapabilityRegistry()
        accelerator.register(in: &registry)
        #expect(registry.has("qat.compression"))
        #expect(registry.has("qat.encryption"))
        guard case .present(let evidence) = registry["qat.compression"].state else { return }
        #expect(evidence.map(\.source) == ["a stand-in"], "it never passes for hardware")
        #expect(accelerator.isStandIn)
        accelerator.close()
        #expect(accelerator.operations.isEmpty)
    }

    @Test
    func `nothing is written with it unless asked`() throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator { $0.use = .reads }
        #expect(accelerator.operations == [.decompressDeflate, .open])
        #expect(throws: AccelerationError.self) {
            try accelerator.compressed([Shapes.text(16_384)])
        }
        let before = standIn.get("requests")
        let cipher = try accelerator.cipher(key: makeSecret(Array(0..<32)))
        _ = try cipher.sealed(Shapes.text(16_384), BlockNonce(epoch: 1, position: 1), [])
        #expect(standIn.get("requests") == before)
        accelerator.close()
        #expect(QATConfiguration().use == .off)
    }

    @Test
    func `what it opens is closed in programs that are executed`() throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator()
        let number = standIn.get("descriptor")
        let text = try HostRoot().text("proc/self/fdinfo/\(number)")
        let flags = text.split(separator: "\n").first { $0.hasPrefix("flags:") } ?? ""
        let value = UInt32(flags.dropFirst(6).filter { $0 != "\t" }, radix: 8) ?? 0
        #expect(value & 0o2_000_000 != 0, "O_CLOEXEC")
        accelerator.close()
    }
}

extension Accelerator {
    /// Whether deflate makes a block smaller.
    func mayShrink(_ block: [UInt8]) -> Bool {
        (try? deflated(block))?.isEmpty == false
    }
}
