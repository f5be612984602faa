import FootingSystem
import Glibc
import Testing

@testable import FootingAcceleration

/// What others compressed is read here, and what is compressed here is read by others.
@Suite struct ForeignCodecTests {
    private let compressor = Compressor()
    private static let hasTool = unsafe system("command -v lz4 >/dev/null 2>&1") == 0
    private static let gzipHeader: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]

    @Test(arguments: CompressionEffort.allCases)
    func `zlib reads this deflate`(effort: CompressionEffort) throws {
        for (name, make) in Shapes.kinds {
            let block = make(16_384)
            guard let stored = try compressor.compress(block, .deflate, effort) else { continue }
            // The sum and the size at the end of a gzip file are those of the plain bytes.
            let trailer = Gzip.compress(block).suffix(8)
            let file = Self.gzipHeader + stored + trailer
            #expect(try Gzip.decompress(file, limitBytes: 1 << 20) == block, "\(name)")
        }
    }

    @Test func `zlib's deflate is read here`() throws {
        for (name, make) in Shapes.kinds {
            let block = make(16_384)
            let stored = Array(Gzip.compress(block).dropFirst(10).dropLast(8))
            let again = try compressor.decompress(stored, .deflate, count: block.count)
            #expect(again == block, "\(name)")
        }
    }

    /// The frame around blocks of up to 64 KiB, each on its own, without checksums.
    private static let frameHeader: [UInt8] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]

    @Test(.enabled(if: hasTool, "lz4 is missing")) func `lz4 reads these blocks`() throws {
        let folder = try TemporaryFolder()
        for (name, make) in Shapes.kinds {
            let block = make(16_384)
            guard let stored = try compressor.compress(block, .lz4) else { continue }
            let size = (0..<4).map { UInt8(truncatingIfNeeded: stored.count >> (8 * $0)) }
            try folder.write("x.lz4", Self.frameHeader + size + stored + [0, 0, 0, 0])
            #expect(folder.run("lz4 -dqf x.lz4 x") == 0, "\(name)")
            #expect(try folder.read("x") == block, "\(name)")
        }
    }

    @Test(.enabled(if: hasTool, "lz4 is missing"), arguments: ["-1", "-9", "-12", "--fast=5"])
    func `blocks of lz4 are read here`(option: String) throws {
        let folder = try TemporaryFolder()
        for (name, make) in Shapes.kinds where name != "random" && name != "base64" {
            let block = make(16_384)
            try folder.write("x", block)
            let command = "lz4 \(option) -qf -B4 -BI --no-frame-crc x x.lz4"
            #expect(folder.run(command) == 0, "\(name)")
            let file = try folder.read("x.lz4")
            #expect(Array(file[..<5]) == Array(Self.frameHeader[..<4]) + [0x60])
            let stored = Array(file[11..<file.count - 4])
            let again = try compressor.decompress(stored, .lz4, count: block.count)
            #expect(again == block, "\(name)")
        }
    }
}
