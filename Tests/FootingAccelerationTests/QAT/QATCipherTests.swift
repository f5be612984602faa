import FootingSystem
import Testing

@testable import FootingAcceleration

/// AES-256-GCM on the stand-in.
@Suite(.timeLimit(.minutes(2))) struct QATCipherTests {
    private static let block = Shapes.text(16_384)
    private static let nonce = BlockNonce(epoch: 3, position: 1 << 40)
    private static let address: [UInt8] = Array(1...20)
    private static let key: [UInt8] = (0..<32).map { $0 &* 7 &+ 1 }

    private func both(
        _ accelerator: QATAccelerator,
        _ standIn: StandIn
    ) throws -> (device: any BlockCipher, processor: any BlockCipher) {
        let key = try makeSecret(Self.key)
        return (try accelerator.cipher(key: key), try standIn.software.cipher(key: key))
    }

    @Test(arguments: [16_384, 20_001, 65_536], [0, 1, 16, 20, 64])
    func `both give the same bytes and tag`(count: Int, associatedCount: Int) throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator()
        let (device, processor) = try both(accelerator, standIn)
        let block = Shapes.text(count)
        let associated = Array(Self.address + Self.address + Self.address + Self.address)
            .prefix(associatedCount)
        let expected = try processor.sealed(block, Self.nonce, Array(associated))
        let before = standIn.get("requests")
        #expect(try device.sealed(block, Self.nonce, Array(associated)) == expected)
        #expect(try device.opened(expected, Self.nonce, Array(associated)) == block)
        #expect(standIn.get("requests") == before + 2)
        #expect(accelerator.statistics[.seal].count == 1)
        #expect(accelerator.statistics[.open].fallbackCount == 0)
        accelerator.close()
        #expect(standIn.mistakes == [:])
        #expect(standIn.leftovers == [:])
    }

    @Test(arguments: [0, 9000, 16_383, 16_384, 16_399])
    func `what was changed is not opened`(place: Int) throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator()
        let (device, processor) = try both(accelerator, standIn)
        var sealed = try processor.sealed(Self.block, Self.nonce, Self.address)
        sealed[place] ^= 1
        #expect(throws: AccelerationError.notAuthentic) {
            try device.opened(sealed, Self.nonce, Self.address)
        }
        #expect(accelerator.operations.contains(.open), "the device is not to blame")
        accelerator.close()
    }

    @Test(arguments: [StandIn.Fault.wrongDigest, .corrupt, .failed])
    func `sealing that fails falls back`(fault: StandIn.Fault) throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator()
        let (device, processor) = try both(accelerator, standIn)
        let expected = try processor.sealed(Self.block, Self.nonce, Self.address)
        standIn.plan(fault, count: 1)
        #expect(try device.sealed(Self.block, Self.nonce, Self.address) == expected)
        #expect(accelerator.statistics[.seal].fallbackCount == 1)
        #expect(accelerator.operations.contains(.seal) == (fault == .failed))
        accelerator.close()
        #expect(standIn.mistakes == [:])
    }

    @Test(arguments: [StandIn.Fault.wrongDigest, .corrupt, .failed])
    func `opening that fails falls back`(fault: StandIn.Fault) throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator()
        let (device, processor) = try both(accelerator, standIn)
        let sealed = try processor.sealed(Self.block, Self.nonce, Self.address)
        standIn.plan(fault, count: 1)
        #expect(try device.opened(sealed, Self.nonce, Self.address) == Self.block)
        #expect(accelerator.statistics[.open].fallbackCount == 1)
        #expect(accelerator.operations.contains(.open) == (fault != .corrupt))
        accelerator.close()
        #expect(standIn.mistakes == [:])
    }

    @Test
    func `a block may be sealed and opened where it lies`() throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator()
        let (device, processor) = try both(accelerator, standIn)
        let memory = GuardedMemory(Self.block)
        let extra = GuardedMemory(Self.address)
        for fault in [StandIn.Fault.none, .failed] {
            standIn.plan(fault, count: 1)
            let tag = unsafe try device.seal(
                memory.bytes,
                nonce: Self.nonce,
                associatedData: UnsafeRawBufferPointer(extra.bytes)
            )
            let expected = try processor.sealed(Self.block, Self.nonce, Self.address)
            #expect(memory.content == Array(expected.dropLast(16)))
            standIn.plan(fault, count: 1)
            unsafe try device.open(
                memory.bytes,
                nonce: Self.nonce,
                associatedData: UnsafeRawBufferPointer(extra.bytes),
                tag: tag
            )
            #expect(memory.content == Self.block)
        }
        accelerator.close()
        #expect(standIn.mistakes == [:])
    }

    @Test
    func `a key outlives neither its cipher nor the accelerator`() throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator()
        let sessions = standIn.get("live_sessions")
        do {
            let (device, _) = try both(accelerator, standIn)
            _ = try device.sealed(Self.block, Self.nonce, Self.address)
            #expect(standIn.get("live_sessions") == sessions + 2)
        }
        #expect(standIn.get("live_sessions") == sessions)
        let (device, processor) = try both(accelerator, standIn)
        let expected = try device.sealed(Self.block, Self.nonce, Self.address)
        accelerator.close()
        #expect(standIn.leftovers == [:])
        #expect(standIn.mistakes == [:], "a secret was left in the memory, among others")
        // The processor goes on with it.
        #expect(try device.sealed(Self.block, Self.nonce, Self.address) == expected)
        #expect(try processor.opened(expected, Self.nonce, Self.address) == Self.block)
    }

    @Test
    func `a key in use by a late request stays until the answer`() throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator {
            $0.timeoutMilliseconds = 100
            $0.timeoutMaximum = 100
        }
        try #require(accelerator.operations.contains(.seal))
        let sessions = standIn.get("live_sessions")
        do {
            let (device, processor) = try both(accelerator, standIn)
            standIn.plan(.late, count: 1)
            let sealed = try device.sealed(Self.block, Self.nonce, Self.address)
            #expect(try processor.opened(sealed, Self.nonce, Self.address) == Self.block)
        }
        #expect(standIn.get("live_sessions") == sessions + 1)
        standIn.release()
        #expect(StandIn.eventually { accelerator.counters.lateAnswers == 1 })
        accelerator.close()
        #expect(standIn.mistakes == [:])
        #expect(standIn.leftovers == [:])
    }

    @Test
    func `other sizes of associated data are the processor's`() throws {
        let standIn = try StandIn()
        let accelerator = standIn.accelerator()
        let (device, processor) = try both(accelerator, standIn)
        _ = try device.sealed(Self.block, Self.nonce, Self.address)
        let before = standIn.get("requests")
        for associated in [[], Array(repeating: UInt8(1), count: 65)] {
            let expected = try processor.sealed(Self.block, Self.nonce, associated)
            #expect(try device.sealed(Self.block, Self.nonce, associated) == expected)
        }
        #expect(standIn.get("requests") == before)
        accelerator.close()
    }
}
