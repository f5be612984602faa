import FootingSystem
import Testing

@Suite("Memory from anywhere")
struct PageSourceTests {
    @Test("starts at a multiple of 2 MiB, is zeroed, and can be given back")
    func alignedZeroed() throws {
        let source = AnyPages()
        for slabCount in 1...3 {
            let bytes = unsafe try source.map(byteCount: slabCount * AnyPages.unitBytes)
            let start = Int(bitPattern: bytes.baseAddress)
            #expect(start % AnyPages.unitBytes == 0)
            #expect(bytes.count == slabCount * AnyPages.unitBytes)
            #expect(unsafe bytes[0] == 0 && bytes[bytes.count - 1] == 0)
            unsafe bytes[bytes.count - 1] = 1
            unsafe source.unmap(bytes)
        }
    }

    @Test("a refusal is an error, not the end of the program")
    func refused() {
        #expect(throws: Errno.self) {
            _ = unsafe try AnyPages().map(byteCount: 1 << 60)
        }
    }
}
