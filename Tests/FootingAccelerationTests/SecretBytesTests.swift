import FootingSystem
import FootingTestSupport
import Glibc
import Testing

@testable import FootingAcceleration

@Suite struct SecretBytesTests {
    private static func flags(of address: UInt) throws -> Set<Substring> {
        // All tests run in this process: the text can be longer than any that a host is asked for.
        let file = try FileDescriptor.open("/proc/self/smaps", .readOnly)
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65536)
        while case let count = unsafe read(file.number, &piece, piece.count), count > 0 {
            bytes += piece[..<count]
        }
        let text = String(decoding: bytes, as: UTF8.self)
        var isInside = false
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            let range = words[0].split(separator: "-")
            if range.count == 2, let low = UInt(range[0], radix: 16),
                let high = UInt(range[1], radix: 16)
            {
                isInside = (low..<high).contains(address)
            } else if isInside, words[0] == "VmFlags:" {
                return Set(words.dropFirst())
            }
        }
        return []
    }

    @Test func `they are locked and left out of dumps`() throws {
        let secret = try SecretBytes(count: 5000)
        let address = unsafe secret.withBytes { UInt(bitPattern: $0.baseAddress) }
        let flags = try Self.flags(of: address)
        #expect(flags.contains("dd"))
        #expect(secret.dumpFailure == nil)
        // Sanitizers answer mlock(2) themselves, and lock nothing.
        if !Sanitizer.isOn { #expect(flags.contains("lo") == (secret.lockFailure == nil)) }
        #expect(secret.count == 5000)
        #expect(unsafe secret.withBytes { unsafe $0.allSatisfy { $0 == 0 } })
    }

    @Test func `they are wiped before their memory goes`() throws {
        let folder = try TemporaryFolder()
        try folder.write("pages", [UInt8](repeating: 0, count: 4096))
        let file = try FileDescriptor.open("\(folder.path)/pages", .readWrite)
        // The same page twice: one view for the secret, one to look at what it leaves.
        let protection = PROT_READ | PROT_WRITE
        let first = unsafe mmap(nil, 4096, protection, MAP_SHARED, file.number, 0)
        let second = unsafe mmap(nil, 4096, protection, MAP_SHARED, file.number, 0)
        let start = try unsafe #require(unsafe second)
        defer { unsafe munmap(start, 4096) }
        let view = unsafe UnsafeRawBufferPointer(start: start, count: 4096)
        do {
            let pages = unsafe UnsafeMutableRawBufferPointer(start: first, count: 4096)
            var secret = unsafe SecretBytes(count: 100, owning: pages)
            unsafe secret.withMutableBytes { unsafe $0.copyBytes(from: Shapes.text(100)) }
            #expect(unsafe Array(view[..<100]) == Shapes.text(100))
        }
        #expect(unsafe view.allSatisfy { $0 == 0 })
    }

    @Test(.enabled(if: !Sanitizer.isOn, "a sanitizer answers mlock(2) itself"))
    func `a lock that the kernel refuses is named`() async throws {
        await #expect(processExitsWith: .exitCode(42)) {
            var limit = rlimit(rlim_cur: 0, rlim_max: 0)
            unsafe setrlimit(__rlimit_resource_t(8), &limit)
            // Root may lock whatever it likes.
            if geteuid() == 0 { seteuid(65_534) }
            let secret = try SecretBytes(count: 32)
            exit(secret.lockFailure == nil ? 1 : 42)
        }
    }

    @Test func `random ones differ, and comparing looks at all bytes`() throws {
        var generator = SeededRandom(seed: 5)
        let first = try SecretBytes(randomCount: 32, using: &generator)
        let second = try SecretBytes(randomCount: 32, using: &generator)
        var isEqual = SecretBytes.areEqual(first, second)
        #expect(!isEqual)
        isEqual = SecretBytes.areEqual(first, try first.copy())
        #expect(isEqual)
        for index in 0..<32 {
            var other = try first.copy()
            unsafe other.withMutableBytes { unsafe $0[index] ^= 1 }
            isEqual = SecretBytes.areEqual(first, other)
            #expect(!isEqual, "byte \(index)")
        }
        isEqual = SecretBytes.areEqual(first, try SecretBytes(count: 31))
        #expect(!isEqual)
    }
}
