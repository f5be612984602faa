/// Where the device's own configuration of a virtio function can be read, by the function's PCI
/// configuration space (virtio 1.2, 4.1.4).
///
/// Linux shows that configuration to the driver alone. All that stands here was written by the
/// hypervisor, and is believed no further than it fits.
public struct VirtioLayout: Sendable, Equatable {
    /// The window through the configuration space (`VIRTIO_PCI_CAP_PCI_CFG`, 4.1.4.9).
    public struct Window: Sendable, Equatable {
        /// Where its registers for BAR, offset and length begin, which are written to choose what
        /// the word behind them shows.
        public let registersOffset: Int
        /// The BAR that holds the device's own configuration.
        public let bar: UInt8
        /// Where that begins in the BAR, in bytes.
        public let offset: UInt32

        /// What the registers hold while the window shows the first word.
        public var registers: [UInt8] {
            [bar, 0, 0, 0] + littleEndian(offset) + littleEndian(UInt32(VirtioLayout.wordBytes))
        }

        /// Whether the registers hold that; what stands beside the BAR's number does not matter.
        public func isShown(by registers: [UInt8]) -> Bool {
            registers.count == Self.registersBytes && registers[0] == bar
                && registers[4...].elementsEqual(self.registers[4...])
        }

        /// BAR, identity and padding, offset, length.
        public static let registersBytes = 12
        /// Where the word is that shows what was chosen.
        public var dataOffset: Int { registersOffset + Self.registersBytes }
    }

    /// The I/O ports of the interface before virtio 1.0 (4.1.4.10).
    public struct Ports: Sendable, Equatable {
        /// Where the device's own configuration begins in BAR 0, in bytes.
        public let offset: Int
        /// The control word of MSI-X, whose first bit moves the configuration; nil without any.
        public let vectorsOffset: Int?
        /// What it held.
        public let hasVectors: Bool
    }

    /// The window, or why there is none.
    public let window: Fact<Window>
    /// The ports, or why there are none.
    public let ports: Fact<Ports>

    /// The bytes of one word, as everything here is read.
    public static let wordBytes = 4
    /// What a function before PCI Express shows; all that is looked for lies in it.
    public static let spaceBytes = 256
    /// What everybody may read of it.
    private static let headBytes = 64
    /// A capability takes at least four bytes behind the head.
    private static let capabilitiesMaximum = (spaceBytes - headBytes) / 4
    /// The device's own configuration begins with two words: a balloon has no more in all versions.
    private static let configurationBytes: UInt32 = 8

    private static let vendor: UInt64 = 0x1af4
    private static let transitionalBalloon: UInt64 = 0x1002
    private static let balloon: UInt64 = 0x1045

    /// Reads the configuration space of a balloon, and of that no more than is needed.
    ///
    /// The word of a window is not read: that would be the access which its registers choose.
    ///
    /// - Parameter read: gives so many bytes from an offset on, or as many of them as are shown.
    /// - Returns: absent where it is no balloon's, or nothing but the head is shown.
    public static func ofBalloon<Failure: Error>(
        _ read: (_ offset: Int, _ count: Int) throws(Failure) -> [UInt8]
    ) throws(Failure) -> Fact<VirtioLayout> {
        let head = try read(0, headBytes)
        guard head.count >= headBytes else { return .absent("it has \(head.count) bytes only") }
        var space = Space(head.prefix(headBytes))
        guard space.number(0, 2) == vendor,
            let device = space.number(2, 2), device == balloon || device == transitionalBalloon
        else { return .absent("it is not that of a virtio balloon") }
        let capabilities = try space.readCapabilities(atMost: capabilitiesMaximum, read)
        guard let capabilities else {
            return .absent("only its first \(headBytes) bytes are shown: CAP_SYS_ADMIN is missing")
        }
        return .known(
            VirtioLayout(
                window: window(space, capabilities),
                ports: device == transitionalBalloon
                    ? ports(space, capabilities) : .absent("it is not a transitional device")
            )
        )
    }

    private static func window(_ space: Space, _ capabilities: [Int]) -> Fact<Window> {
        /// The first of its kind counts (4.1.4.2), if it is as long as it has to be.
        func first(_ kind: UInt64, bytes: UInt64) -> Int? {
            let at = capabilities.first {
                space.number($0, 1) == 0x09 && space.number($0 + 3, 1) == kind
            }
            guard let at, let length = space.number(at + 2, 1), length >= bytes,
                at + Int(length) <= spaceBytes
            else { return nil }
            return at
        }
        guard let window = first(5, bytes: 20), !space.hasRead(window + 16, wordBytes) else {
            return .absent("it has no window (VIRTIO_PCI_CAP_PCI_CFG)")
        }
        guard let place = first(4, bytes: 16), let bar = space.number(place + 4, 1), bar <= 5,
            let offset = space.number(place + 8, 4), let length = space.number(place + 12, 4)
        else { return .absent("nothing tells where the device's configuration is") }
        guard length >= configurationBytes, offset % 4 == 0,
            offset + UInt64(configurationBytes) <= 1 << 32
        else { return .absent("the device's configuration has no place that can be") }
        return .known(
            Window(registersOffset: window + 4, bar: UInt8(bar), offset: UInt32(offset))
        )
    }

    private static func ports(_ space: Space, _ capabilities: [Int]) -> Fact<Ports> {
        guard space.number(8, 1) == 0, let bar = space.number(0x10, 4), bar & 3 == 1,
            bar & ~3 != 0
        else { return .absent("its first BAR is no range of I/O ports") }
        guard let command = space.number(4, 2), command & 1 == 1 else {
            return .absent("its I/O ports are switched off")
        }
        guard let at = capabilities.first(where: { space.number($0, 1) == 0x11 }) else {
            return .known(Ports(offset: 20, vectorsOffset: nil, hasVectors: false))
        }
        guard let control = space.number(at + 2, 2) else {
            return .absent("its control word of MSI-X is not shown")
        }
        let hasVectors = Ports.hasVectors(control)
        return .known(
            Ports(offset: hasVectors ? 24 : 20, vectorsOffset: at + 2, hasVectors: hasVectors)
        )
    }
}

extension VirtioLayout.Ports {
    /// Whether the control word of MSI-X says that it is in use.
    public static func hasVectors(_ control: UInt64) -> Bool { control & 0x8000 != 0 }
}

/// What was read of a PCI configuration space (PCI Local Bus 3.0, chapter 6); nothing of it is
/// taken for granted.
private struct Space {
    /// The header of a capability, and all of one that tells a place in a BAR.
    private static let headerBytes = 4
    private static let placeBytes = 16

    private var bytes = [UInt8?](repeating: nil, count: VirtioLayout.spaceBytes)

    init(_ head: ArraySlice<UInt8>) { put(Array(head), at: 0) }

    private mutating func put(_ shown: [UInt8], at offset: Int) {
        for (at, byte) in zip(offset..<bytes.count, shown) { bytes[at] = byte }
    }

    /// A little-endian number; nil where it is not all there.
    func number(_ offset: Int, _ count: Int) -> UInt64? {
        guard offset >= 0, offset + count <= bytes.count else { return nil }
        var number: UInt64 = 0
        for byte in bytes[offset..<offset + count].reversed() {
            guard let byte else { return nil }
            number = number << 8 | UInt64(byte)
        }
        return number
    }

    /// Whether any of these bytes was read.
    func hasRead(_ offset: Int, _ count: Int) -> Bool {
        bytes[offset..<offset + count].contains { $0 != nil }
    }

    /// Reads the capabilities, in the order of their list; a list that bites its tail ends.
    ///
    /// - Returns: where they are; nil where none of a list is shown.
    mutating func readCapabilities<Failure: Error>(
        atMost most: Int,
        _ read: (_ offset: Int, _ count: Int) throws(Failure) -> [UInt8]
    ) throws(Failure) -> [Int]? {
        guard number(0x0e, 1).map({ $0 & 0x7f }) == 0, let status = number(6, 2),
            status & 0x10 != 0, var next = number(0x34, 1)
        else { return [] }
        var found: [Int] = []
        while found.count < most {
            // The lowest two bits are reserved.
            let at = Int(next & 0xfc)
            guard at >= 0x40, !found.contains(at), !isShownByWindow(at..<at + 4, found) else {
                break
            }
            put(try read(at, Self.headerBytes), at: at)
            guard let following = number(at + 1, 1) else { return found.isEmpty ? nil : found }
            found.append(at)
            next = following
        }
        // Behind the headers: by now it is known where the windows are.
        for at in found where number(at, 1) == 0x09 && number(at + 3, 1) == 4 {
            let body = at + Self.headerBytes..<at + Self.placeBytes
            guard body.upperBound <= bytes.count, !isShownByWindow(body, found) else { continue }
            put(try read(body.lowerBound, body.count), at: body.lowerBound)
        }
        return found
    }

    /// Whether some of that is the word of a window; only in a list that lies over itself.
    private func isShownByWindow(_ range: Range<Int>, _ capabilities: [Int]) -> Bool {
        capabilities.contains {
            number($0, 1) == 0x09 && number($0 + 3, 1) == 5
                && range.overlaps($0 + Self.placeBytes..<$0 + Self.placeBytes + 4)
        }
    }
}

private func littleEndian(_ number: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
}
