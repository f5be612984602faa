import FootingSystem
import Testing

@testable import FootingAcceleration

/// A device that can be told to fail.
final class FakeDevice: Accelerator {
    let name = "device"
    let isBroken: Bool
    private let software = SoftwareAccelerator()

    init(isBroken: Bool) { self.isBroken = isBroken }

    var operations: Set<AccelerationOperation> { [.compressDeflate, .decompressDeflate, .seal] }
    var statistics: AcceleratorStatistics { software.statistics }

    private func check() throws(AccelerationError) {
        if isBroken { throw .unavailable("the device is full") }
    }

    func compress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod,
        _ effort: CompressionEffort
    ) throws(AccelerationError) -> Int? {
        try check()
        return try unsafe software.compress(source, into: target, method, effort)
    }

    func decompress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod
    ) throws(AccelerationError) {
        try check()
        try unsafe software.decompress(source, into: target, method)
    }

    func cipher(key: borrowing SecretBytes) throws(AccelerationError) -> any BlockCipher {
        try check()
        return try software.cipher(key: key)
    }
}

@Suite struct RegistryTests {
    /// Figures in which the device is fast at one thing only.
    private static var speeds: SpeedTable {
        var table = SpeedTable()
        for operation in AccelerationOperation.allCases {
            table["software", operation, 16_384] = 1_000
        }
        table["device", .compressDeflate, 16_384] = 2_000
        table["device", .decompressDeflate, 16_384] = 500
        table["device", .seal, 16_384] = 3_000
        return table
    }

    @Test func `the fastest is chosen, and the processor without figures`() {
        let device = FakeDevice(isBroken: false)
        let measured = AcceleratorRegistry(others: [device], speeds: Self.speeds)
        #expect(measured.preferred(for: .compressDeflate).name == "device")
        #expect(measured.preferred(for: .seal).name == "device")
        #expect(measured.preferred(for: .decompressDeflate).name == "software")
        #expect(measured.preferred(for: .compressLZ4).name == "software")
        #expect(measured.implementations(of: .seal).map(\.name) == ["software", "device"])
        #expect(measured.implementations(of: .open).map(\.name) == ["software"])
        let unmeasured = AcceleratorRegistry(others: [device])
        for operation in AccelerationOperation.allCases {
            #expect(unmeasured.preferred(for: operation).name == "software")
        }
    }

    @Test func `the processor does what the device cannot`() throws {
        let device = FakeDevice(isBroken: true)
        let registry = AcceleratorRegistry(others: [device], speeds: Self.speeds)
        let compressor = Compressor(accelerator: registry)
        let block = Shapes.text(4096)
        let stored = try #require(try compressor.compress(block, .deflate))
        #expect(try compressor.decompress(stored, .deflate, count: 4096) == block)
        #expect(registry.statistics[.compressDeflate].fallbackCount == 1)
        #expect(registry.statistics[.compressDeflate].count == 1)
        #expect(registry.statistics[.decompressDeflate].fallbackCount == 0)
        let sealed = try SealedBlock(
            cipher: try registry.cipher(key: try SecretBytes(count: 32)),
            plain: block,
            nonce: BlockNonce(epoch: 1, position: 2),
            associated: []
        )
        #expect(try sealed.open() == block)
        #expect(registry.statistics[.seal].fallbackCount == 1)
        // Damage is no reason to try another one.
        #expect(throws: AccelerationError.corrupt(.deflate)) {
            try compressor.decompress([1, 2, 3], .deflate, count: 4096)
        }
    }

    @Test func `a working device is asked`() throws {
        let device = FakeDevice(isBroken: false)
        let registry = AcceleratorRegistry(others: [device], speeds: Self.speeds)
        let compressor = Compressor(accelerator: registry)
        _ = try compressor.compress(Shapes.text(4096), .deflate)
        #expect(device.statistics[.compressDeflate].count == 1)
        #expect(registry.statistics[.compressDeflate].fallbackCount == 0)
    }
}

@Suite struct SpeedTests {
    private static let circumstances = SpeedCircumstances(
        processor: "Test Processor 1",
        names: ["software"]
    )

    private static func table(_ speed: UInt64) -> SpeedTable {
        var table = SpeedTable()
        table["software", .seal, 4096] = speed
        table["software", .compressLZ4, 65_536] = speed + 1
        return table
    }

    @Test func `figures are remembered for each processor`() throws {
        let folder = try TemporaryFolder()
        let memory = SpeedMemory(folder: folder.path)
        #expect(memory.load(Self.circumstances) == nil)
        try memory.save(Self.table(5), Self.circumstances)
        let other = SpeedCircumstances(processor: "Test Processor 2", names: ["software"])
        #expect(memory.load(other) == nil)
        try memory.save(Self.table(7), other)
        #expect(memory.load(Self.circumstances) == Self.table(5))
        #expect(memory.load(other) == Self.table(7))
        try memory.save(Self.table(9), Self.circumstances)
        #expect(memory.load(Self.circumstances) == Self.table(9))
        let more = SpeedCircumstances(processor: "Test Processor 1", names: ["software", "qat"])
        #expect(memory.load(more) == nil)
        // Nothing is left beside the file.
        #expect(try HostRoot(path: folder.path).names("") == ["speeds.json"])
    }

    @Test func `sixteen processors are remembered`() throws {
        let folder = try TemporaryFolder()
        let memory = SpeedMemory(folder: folder.path)
        let all = (0..<20).map { SpeedCircumstances(processor: "P\($0)", names: []) }
        for (index, circumstances) in all.enumerated() {
            try memory.save(Self.table(UInt64(index + 1)), circumstances)
        }
        #expect(memory.load(all[3]) == nil)
        for index in 4..<20 { #expect(memory.load(all[index]) == Self.table(UInt64(index + 1))) }
    }

    @Test func `a damaged file is as good as none, and is replaced`() throws {
        let folder = try TemporaryFolder()
        let memory = SpeedMemory(folder: folder.path)
        try memory.save(Self.table(5), Self.circumstances)
        let whole = try folder.read("speeds.json")
        for count in [0, 1, whole.count / 2, whole.count - 3] {
            try folder.write("speeds.json", Array(whole[..<count]))
            #expect(memory.load(Self.circumstances) == nil, "\(count)")
        }
        for text in ["{}", "[]", "null", "{\"schema\": \"footing.speeds/2\"}"] {
            try folder.write("speeds.json", Array(text.utf8))
            #expect(memory.load(Self.circumstances) == nil, "\(text)")
        }
        let wrong = String(decoding: whole, as: UTF8.self)
        for (old, new) in [("5", "-5"), ("4096", "4097"), ("seal", "weld"), ("5", "0")] {
            let parts = wrong.components(old)
            try folder.write("speeds.json", Array(parts.joined(separator: new).utf8))
            #expect(memory.load(Self.circumstances) == nil, "\(new)")
        }
        try memory.save(Self.table(6), Self.circumstances)
        #expect(memory.load(Self.circumstances) == Self.table(6))
    }

    @Test func `a link in place of the file is not followed`() throws {
        let folder = try TemporaryFolder()
        try SpeedMemory(folder: folder.path).save(Self.table(5), Self.circumstances)
        #expect(folder.run("mkdir other && ln -s ../speeds.json other/speeds.json") == 0)
        let memory = SpeedMemory(folder: folder.path + "/other")
        #expect(memory.load(Self.circumstances) == nil)
        try memory.save(Self.table(6), Self.circumstances)
        #expect(memory.load(Self.circumstances) == Self.table(6))
        let first = SpeedMemory(folder: folder.path)
        #expect(first.load(Self.circumstances) == Self.table(5))
    }

    @Test func `a trial gives a figure for every operation and size`() throws {
        var table = SpeedTable()
        try SpeedTrial(SoftwareAccelerator()).measure(into: &table, nanoseconds: 30_000)
        for operation in AccelerationOperation.allCases {
            for size in SpeedTable.blockSizes {
                #expect(table["software", operation, size] ?? 0 > 1 << 20, "\(operation) \(size)")
            }
        }
        #expect(table.names == ["software"])
        #expect(SpeedTable(table.json) == table)
    }

    @Test(arguments: AccelerationOperation.allCases)
    func `the interface is compared with the bare library`(
        operation: AccelerationOperation
    ) throws {
        let trial = try SpeedTrial(SoftwareAccelerator())
        let line = try trial.compare(operation, blockBytes: 16_384, rounds: 3, nanoseconds: 50_000)
        #expect(line.bytesPerSecond > 1 << 20)
        #expect(line.bareBytesPerSecond > 1 << 20)
        #expect(line.ratio > 0.02)
    }
}

extension String {
    /// The pieces between the places of another text.
    fileprivate func components(_ separator: String) -> [String] {
        var pieces = [""]
        var rest = Substring(self)
        while !rest.isEmpty {
            if rest.hasPrefix(separator) {
                pieces.append("")
                rest = rest.dropFirst(separator.count)
            } else {
                pieces[pieces.count - 1].append(rest.removeFirst())
            }
        }
        return pieces
    }
}
