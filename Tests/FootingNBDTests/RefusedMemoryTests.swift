import FootingSimulation
import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingNBD

/// Memory that the kernel refuses while clients are served.
@Suite struct RefusedMemoryTests {
    @Test(arguments: [0, 1])
    func `a connection without buffers is cut off, and others go on`(given: Int) throws {
        let buffers = ScarceBuffers()
        let test = try TestServer { $0.buffers = buffers }
        let client = try test.client()
        buffers.allow(given)
        #expect(try test.newcomer().isCutOff())
        #expect(try test.hasCutOff(1))
        #expect(try eventually { test.log.contains { $0.contains("no buffers for it") } })
        #expect(try client.write(0, pattern(4096)) == 0)
        buffers.allow(.max)
        #expect(try test.client().read(0, 4096) == pattern(4096))
        #expect(try test.hasCutOff(1))
    }

    @Test func `a write that cannot be gathered fails as a whole`() throws {
        let buffers = ScarceBuffers()
        let test = try TestServer { $0.buffers = buffers }
        test.export.set { $0.stagesFrom = .max }
        let client = try test.client()
        let before = pattern(1 << 20, seed: 3)
        #expect(try client.write(0, before) == 0)
        buffers.allow(0)
        let refused = try client.write(0, pattern(1 << 20, seed: 4))
        #expect(refused == WireError.noMemory.rawValue)
        #expect(try client.read(0, 1 << 20) == before)
        // What is small needs none.
        #expect(try client.write(0, pattern(4096, seed: 5)) == 0)
    }
}
