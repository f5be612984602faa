import FootingHost
import Testing

/// A PCI configuration space as QEMU makes one for a balloon, and what can be wrong in it.
struct ConfigurationSpace {
    var bytes = [UInt8](repeating: 0, count: 256)

    /// With all capabilities; the last in the list is that of the device's own configuration.
    init(device: UInt16 = 0x1045) {
        set(0, 0x1af4, 2)
        set(2, UInt64(device), 2)
        set(4, 7, 2)
        set(6, 0x10, 2)
        if device == 0x1002 { set(0x10, 0xc001, 4) }
        set(0x34, 0x98, 1)
        set(0x98, 0x11, 1)
        set(0x99, 0x84, 1)
        set(0x9a, 0x8001, 2)
        vendor(0x84, next: 0x50, kind: 5, bar: 0, offset: 0, length: 0, bytes: 20)
        vendor(0x50, next: 0x60, kind: 3, bar: 4, offset: 0x1000, length: 4096)
        vendor(0x60, next: 0, kind: 4, bar: 4, offset: 0x2000, length: 4096)
    }

    /// What is found of it where so many of its bytes are shown.
    func layout(shownBytes: Int = 256, reads: inout [Range<Int>]) -> Fact<VirtioLayout> {
        VirtioLayout.ofBalloon { offset, count in
            reads.append(offset..<offset + count)
            return Array(bytes.prefix(shownBytes).dropFirst(offset).prefix(count))
        }
    }

    /// The same, however it is read.
    func layout(shownBytes: Int = 256) -> Fact<VirtioLayout> {
        var reads: [Range<Int>] = []
        return layout(shownBytes: shownBytes, reads: &reads)
    }

    mutating func set(_ offset: Int, _ number: UInt64, _ count: Int) {
        for byte in 0..<count {
            bytes[offset + byte] = UInt8(truncatingIfNeeded: number >> (byte * 8))
        }
    }

    mutating func vendor(
        _ at: Int,
        next: UInt8,
        kind: UInt8,
        bar: UInt8,
        offset: UInt64,
        length: UInt64,
        bytes count: UInt8 = 16
    ) {
        bytes.replaceSubrange(at..<at + 8, with: [9, next, count, kind, bar, 0, 0, 0])
        set(at + 8, offset, 4)
        set(at + 12, length, 4)
    }
}

@Suite struct VirtioLayoutTests {
    private func layout(_ space: ConfigurationSpace) throws -> VirtioLayout {
        try #require(space.layout().value)
    }

    @Test func `a modern balloon has a window, and no ports`() throws {
        let layout = try layout(ConfigurationSpace())
        let window = try #require(layout.window.value)
        #expect(window.registersOffset == 0x88 && window.dataOffset == 0x94)
        #expect(window.bar == 4 && window.offset == 0x2000)
        #expect(window.registers == [4, 0, 0, 0, 0, 0x20, 0, 0, 4, 0, 0, 0])
        #expect(window.isShown(by: [4, 9, 9, 9, 0, 0x20, 0, 0, 4, 0, 0, 0]))
        #expect(!window.isShown(by: [4, 0, 0, 0, 4, 0x20, 0, 0, 4, 0, 0, 0]))
        #expect(!window.isShown(by: []))
        #expect(layout.ports.absence == "it is not a transitional device")
    }

    @Test func `a transitional balloon has both, and MSI-X moves the ports`() throws {
        var space = ConfigurationSpace(device: 0x1002)
        #expect(try layout(space).window.value != nil)
        let with = try #require(try layout(space).ports.value)
        #expect(with.offset == 24 && with.vectorsOffset == 0x9a && with.hasVectors)
        space.set(0x9a, 0x0001, 2)
        let without = try #require(try layout(space).ports.value)
        #expect(without.offset == 20 && without.vectorsOffset == 0x9a && !without.hasVectors)
        // One from before virtio 1.0 without either.
        space.set(0x34, 0, 1)
        let old = try layout(space)
        #expect(old.ports.value?.offset == 20 && old.ports.value?.vectorsOffset == nil)
        #expect(old.window.value == nil)
    }

    /// What is written where, how long it is, and what of the absence's reason.
    @Test(
        arguments: [
            (0x00, 0x8086, 2, "virtio balloon"), (0x02, 0x1041, 2, "virtio balloon"),
            (0x02, 0xffff, 2, "virtio balloon"),
        ]
    )
    func `nobody else's configuration is believed`(
        offset: Int,
        number: UInt64,
        count: Int,
        reason: String
    ) {
        var space = ConfigurationSpace()
        space.set(offset, number, count)
        #expect(space.layout().absence?.contains(reason) == true)
    }

    @Test(
        arguments: [
            // No list; a list of another form; a pointer into the head; a list that bites its tail.
            (0x06, 0, 2), (0x0e, 1, 1), (0x34, 0x3c, 1), (0x99, 0x98, 1),
            // A window that is too short, or of another kind.
            (0x86, 16, 1), (0x84, 0x0a, 1), (0x87, 6, 1),
            // The configuration: too short, no BAR, an odd place, too small, behind the end.
            (0x62, 12, 1), (0x64, 6, 1), (0x68, 0x2002, 4), (0x6c, 7, 4), (0x68, 0xffff_fffc, 4),
            // Another of its kind stands before it, and is the one that counts (4.1.4.2).
            (0x53, 4, 1),
        ] as [(Int, UInt64, Int)]
    )
    func `a window that cannot be is none`(offset: Int, number: UInt64, count: Int) throws {
        var space = ConfigurationSpace()
        if offset == 0x53 { space.set(0x5c, 4, 4) }
        space.set(offset, number, count)
        #expect(try layout(space).window.absence?.isEmpty == false)
    }

    @Test(
        arguments: [
            // Memory instead of ports; no place; a revision of virtio 1.0; ports switched off.
            (0x10, 0xc000_0000, 4), (0x10, 1, 4), (0x08, 1, 1), (0x04, 6, 2),
        ] as [(Int, UInt64, Int)]
    )
    func `ports that cannot be are none`(offset: Int, number: UInt64, count: Int) throws {
        var space = ConfigurationSpace(device: 0x1002)
        space.set(offset, number, count)
        #expect(try layout(space).ports.absence?.isEmpty == false)
    }

    @Test func `the head alone, as others than root see it, names what is missing`() throws {
        let space = ConfigurationSpace(device: 0x1002)
        let head = space.layout(shownBytes: 64)
        #expect(head.absence?.contains("CAP_SYS_ADMIN") == true)
        #expect(space.layout(shownBytes: 0).absence?.isEmpty == false)
        // Cut anywhere: what is named lies in what is shown.
        for count in 65...256 {
            let layout = space.layout(shownBytes: count)
            if let window = layout.value?.window.value { #expect(window.registersOffset <= count) }
            if let at = layout.value?.ports.value?.vectorsOffset { #expect(at + 2 <= count) }
        }
    }

    @Test func `of the space no more is read than the head, and what capabilities tell`() {
        var reads: [Range<Int>] = []
        #expect(ConfigurationSpace().layout(reads: &reads).value?.window.value != nil)
        #expect(
            reads == [
                0..<64, 0x98..<0x9c, 0x84..<0x88, 0x50..<0x54, 0x60..<0x64, 0x64..<0x70,
            ]
        )
    }

    /// A capability that lies over a window's word: its header, or the place that it tells.
    @Test(arguments: [0x94, 0x88])
    func `a list that lies over a window does not have its word read`(at: Int) {
        var space = ConfigurationSpace()
        space.set(0x85, UInt64(at), 1)
        space.bytes.replaceSubrange(at..<at + 4, with: [9, 0x50, 16, 4])
        var reads: [Range<Int>] = []
        #expect(space.layout(reads: &reads).value?.window.value == nil)
        #expect(reads.count == (at == 0x94 ? 3 : 7))
        #expect(!reads.contains { $0.overlaps(0x94..<0x98) })
        // Where that stands before the window in the list, it is not used as one.
        space = ConfigurationSpace()
        space.set(0x34, 0x94, 1)
        space.set(0x94, 0x8409, 2)
        #expect(space.layout().value?.window.value == nil)
    }

    @Test func `every byte changed in every space is borne`() {
        var windows = 0
        for offset in 0..<256 {
            for value: UInt8 in [0, 1, 0x0c, 0x7f, 0x80, 0xfc, 0xff] {
                var space = ConfigurationSpace(device: 0x1002)
                space.bytes[offset] = value
                var reads: [Range<Int>] = []
                guard let layout = space.layout(reads: &reads).value else { continue }
                guard let window = layout.window.value else { continue }
                windows += 1
                #expect(window.dataOffset + 4 <= 256 && window.bar <= 5)
                let word = window.dataOffset..<window.dataOffset + 4
                #expect(!reads.contains { $0.overlaps(word) })
            }
        }
        #expect(windows > 1000)
    }
}
