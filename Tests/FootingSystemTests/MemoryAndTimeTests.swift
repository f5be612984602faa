import FootingSystem
import Testing

@Suite struct MemoryAndTimeTests {
    @Test func `a buffer is whole zeroed pages, and zero again after discarding`() {
        let small = AlignedBuffer(count: 5000)
        unsafe #expect(small.bytes.count == 8192)
        unsafe #expect(Int(bitPattern: small.bytes.baseAddress) % 4096 == 0)
        unsafe #expect(small.bytes.allSatisfy { $0 == 0 })
        let buffer = AlignedBuffer(count: 65537)
        unsafe #expect(buffer.bytes.count == 65536 + 4096)
        unsafe #expect(Int(bitPattern: buffer.bytes.baseAddress) % 4096 == 0)
        unsafe #expect(buffer.bytes.allSatisfy { $0 == 0 })
        unsafe buffer.bytes[8191] = 1
        buffer.discard()
        unsafe #expect(buffer.bytes[8191] == 0)
    }

    @Test func `clocks go forward and know the century`() {
        let clock = SystemClock()
        let start = clock.nanoseconds
        #expect(clock.nanoseconds >= start)
        #expect(clock.unixSeconds > 1_700_000_000)
    }

    @Test func `the environment and the streams can be asked`() {
        #expect(Environment.value("PATH") != nil)
        #expect(Environment.value("FOOTING_NO_SUCH_VARIABLE") == nil)
        if let columns = StandardStream.output.terminalColumns { #expect(columns > 0) }
    }

    @Test func `the version is three numbers`() {
        let parts = Release.version.split(separator: ".").map { Int($0) }
        #expect(parts.count == 3 && parts.allSatisfy { $0 != nil })
    }
}
