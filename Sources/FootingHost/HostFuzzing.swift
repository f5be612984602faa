internal import FootingSystem

/// What the fuzzers of `Fuzz/` reach of the detectors' parsers.
@_spi(Fuzzing)
public enum HostFuzzing {
    /// Gives bytes to every parser of text and tables; ends the process where one believes what
    /// cannot be, or gives more than it was given.
    public static func parse(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        lists(text)
        mounts(text)
        groups(text)
        devices(text)
        platforms(text, bytes)
        let json = JSONValue.string(text).bytes()
        precondition(json.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, "a control byte in JSON")
    }

    /// Gives bytes to the parser of a balloon's PCI configuration space; ends the process where it
    /// names a place that is not in them, or one that cannot be.
    public static func parse(configurationSpace bytes: [UInt8]) {
        let shown = min(bytes.count, VirtioLayout.spaceBytes)
        var reads: [Range<Int>] = []
        let layout = VirtioLayout.ofBalloon { offset, count in
            precondition(count > 0 && offset + count <= VirtioLayout.spaceBytes, "an odd read")
            reads.append(offset..<offset + count)
            return Array(bytes.dropFirst(offset).prefix(count))
        }
        guard let layout = layout.value else { return }
        if let window = layout.window.value {
            precondition(window.registersOffset >= 0x44, "registers in the head")
            precondition(window.registersOffset % 4 == 0, "registers that are no words")
            let word = window.dataOffset..<window.dataOffset + VirtioLayout.wordBytes
            precondition(window.registersOffset <= shown, "registers that are not shown")
            precondition(!reads.contains { $0.overlaps(word) }, "the window's word was read")
            precondition(word.upperBound <= VirtioLayout.spaceBytes, "data behind the end")
            precondition(window.bar <= 5 && window.offset % 4 == 0, "a place that cannot be")
            precondition(window.isShown(by: window.registers), "registers that do not show it")
        }
        if let ports = layout.ports.value {
            precondition(ports.offset == (ports.hasVectors ? 24 : 20), "an odd port")
            if let offset = ports.vectorsOffset {
                precondition(offset >= 0x42 && offset + 2 <= shown, "a control word elsewhere")
            }
        }
    }

    private static func lists(_ text: String) {
        if let list = kernelList(text) {
            precondition(list.count <= 131_072, "a list of \(list.count) members")
            precondition(list.allSatisfy { $0 >= 0 }, "a negative member")
        }
        for name in ["MemTotal", "flags", "Cpus_allowed_list", "VM00 Control Program", ""] {
            if let value = text.field(name) {
                precondition(text.holds(value), "a field that is not in the text")
                _ = kibibytes(value)
            }
        }
        _ = ProcessorCache.size(text)
        let parts = pieces(text, separator: " ")
        precondition(!parts.contains { $0.isEmpty || $0.utf8.contains(32) }, "an empty piece")
    }

    private static func mounts(_ text: String) {
        let table = MountTable(source: "fuzz", text: text)
        precondition(table.mounts.count <= lines(text).count, "more mounts than lines")
        for path in ["/", "/var/lib/disk.img", text] {
            if let mount = table.mount(of: path) {
                precondition(
                    mount.point == "/" || path.utf8.starts(with: mount.point.utf8),
                    "a mount that does not hold the path"
                )
            }
        }
        for name in partitionTableNames(text) {
            precondition(!name.isEmpty && !name.utf8.contains(UInt8(ascii: "/")), "an odd name")
        }
    }

    private static func groups(_ text: String) {
        for member in ControlGroups.members(text) {
            let folders = ControlGroups.ancestors(member.path)
            precondition((1...32).contains(folders.count), "\(folders.count) ancestors")
        }
        let numbers = pieces(text, separator: " ").map { Int($0) }
        if numbers.count == 2, let share = ControlGroups.share(numbers[0], of: numbers[1]) {
            precondition(share > 0 && share.isFinite, "a share of \(share)")
        }
    }

    private static func devices(_ text: String) {
        precondition(!BlockLayer.mapperKind(text).isEmpty, "a mapping of no kind")
        _ = BlockDevice.chosen(text)
        _ = BlockInterface.product(model: text, identity: nil)
        _ = DiskSignature.recorded(text)
        _ = FlashCard.reserve(text)
        if let used = FlashCard.usedPercent(text) {
            precondition((1...2).contains(used.count), "a card of \(used.count) kinds of cells")
            precondition(used.allSatisfy { (10...110).contains($0) }, "used by \(used) percent")
        }
        for name in pieces(text, separator: "\n") {
            if let head = NVMeController.head(ofPath: name) {
                precondition(NVMeController.head(ofPath: head) == head, "\(head) has a head")
            }
            if let number = BlockPartition.number(name, of: "nvme0n1") {
                precondition(number >= 0, "partition \(number)")
            }
            _ = PCIDevice.isSlot(name)
            _ = NVMeController.isController(name)
        }
    }

    private static func platforms(_ text: String, _ bytes: [UInt8]) {
        _ = SMBIOSTable(bytes)
        _ = Mainframe(text)
        let processors = ProcessorText(text)
        for names in [["physical id"], ["physical id", "core id"]] {
            let count = processors.count(names) ?? 0
            precondition(count <= processors.entries.count, "more groups than processors")
        }
        let online = processors.online ?? []
        precondition(online.allSatisfy { $0 >= 0 }, "a negative processor")
        _ = DMIText(text)
        _ = KernelEvent(bytes)
        let strings = DeviceTree.strings(in: text)
        precondition(strings.allSatisfy { !$0.utf8.contains(0) }, "a NUL in a text")
        if let document = try? JSONValue(parsing: bytes),
            let recording = RecordedCPUID(document)
        {
            let facts = CPUIDFacts(recording)
            _ = ProcessorFeatures.find(facts, text: nil)
        }
        let half = bytes.count / 2
        _ = DiskSignature.find(head: Array(bytes[..<half]), tail: Array(bytes[half...]))
        let shown = printable(bytes)
        precondition(shown.utf8.allSatisfy { (32..<127).contains($0) }, "unprintable")
    }
}
