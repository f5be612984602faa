/// A disk of `spec.domain.devices.disks`.
struct DiskFields {
    enum Device: String {
        case disk, lun, cdrom
    }

    struct BlockSize {
        var logical: Int
        var physical: Int
        var discard: Int?
    }

    var name: String
    var path: String
    /// Nil where nothing is said: then it is a disk.
    var device: Device?
    var bus: String?
    var isReadOnly: Bool?
    var pciAddress: PCIAddress?
    var hasReservation = false
    var tray: String?
    var bootOrder: Int?
    var serial: String?
    var hasOwnThread = false
    var cache: String?
    var io: String?
    var blockSize: BlockSize?
    var matchesVolumeBlocks = false
    var isShareable = false
    var errorPolicy = "stop"

    /// The disk of a volume that no disk names.
    init(volume name: String, path: String) {
        self.name = name
        self.path = path
    }

    init(_ reader: FieldReader) throws(ConversionError) {
        name = try reader.name()
        path = reader.path
        let buses = ["virtio", "sata", "scsi", "usb"]
        if let target = try reader.child("disk") {
            device = .disk
            bus = try target.choice("bus", buses)
            isReadOnly = try target.bool("readonly")
            pciAddress = try PCIAddress(target, "pciAddress")
            if pciAddress != nil, bus != "virtio" {
                throw target.error("pciAddress", "needs the bus virtio")
            }
            isShareable = try reader.bool("shareable") ?? false
            serial = try reader.word("serial")
        } else if let target = try reader.child("lun") {
            device = .lun
            bus = try target.choice("bus", buses)
            isReadOnly = try target.bool("readonly")
            hasReservation = try target.bool("reservation") ?? false
        } else if let target = try reader.child("cdrom") {
            device = .cdrom
            bus = try target.choice("bus", buses)
            isReadOnly = try target.bool("readonly")
            tray = try target.choice("tray", ["open", "closed"])
        } else {
            isShareable = try reader.bool("shareable") ?? false
            serial = try reader.word("serial")
        }
        bootOrder = try reader.integer("bootOrder", in: 1...Int(UInt32.max))
        hasOwnThread = try reader.bool("dedicatedIOThread") ?? false
        cache = try reader.choice("cache", ["none", "writethrough", "writeback"])
        io = try reader.choice("io", ["native", "threads"])
        let policies = ["stop", "ignore", "report", "enospace"]
        errorPolicy = try reader.choice("errorPolicy", policies) ?? "stop"
        if let size = try reader.child("blockSize") { try readBlockSize(size) }
        if isShareable {
            guard cache == nil || cache == "none" else {
                throw reader.error("cache", "of a disk that is shareable must be none")
            }
            cache = "none"
        }
    }

    private mutating func readBlockSize(_ reader: FieldReader) throws(ConversionError) {
        let range = 0...(1 << 30)
        if let custom = try reader.child("custom") {
            blockSize = BlockSize(
                logical: try custom.integer("logical", in: range) ?? 0,
                physical: try custom.integer("physical", in: range) ?? 0,
                discard: try custom.integer("discardGranularity", in: range)
            )
        } else {
            matchesVolumeBlocks = try reader.state("matchVolume") ?? false
        }
    }
}

/// An address like `0000:81:01.0`.
struct PCIAddress: Hashable {
    var domain: String
    var bus: String
    var slot: String
    var function: String

    init(domain: String, bus: String, slot: String, function: String) {
        self.domain = domain
        self.bus = bus
        self.slot = slot
        self.function = function
    }

    /// Nil if it is absent; an error if it is none.
    init?(_ reader: FieldReader, _ key: String) throws(ConversionError) {
        guard let text = try reader.word(key) else { return nil }
        guard let address = PCIAddress(text) else {
            throw reader.error(key, "must be an address like 0000:81:01.0")
        }
        self = address
    }

    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        let device = parts[2].split(separator: ".", omittingEmptySubsequences: false)
        guard device.count == 2 else { return nil }
        let pieces = [parts[0], parts[1], device[0], device[1]]
        guard pieces.map(\.utf8.count) == [4, 2, 2, 1],
            pieces.allSatisfy({ $0.allSatisfy { $0.isASCII && $0.isHexDigit } }),
            ("0"..."7").contains(pieces[3])
        else { return nil }
        self.init(
            domain: "0x" + pieces[0],
            bus: "0x" + pieces[1],
            slot: "0x" + pieces[2],
            function: "0x" + pieces[3]
        )
    }

    /// As libvirt writes it; without its type where that goes without saying.
    func element(hasType: Bool = true) -> XMLElement {
        XMLElement(
            "address",
            [
                "type": hasType ? "pci" : nil, "domain": domain, "bus": bus, "slot": slot,
                "function": function,
            ]
        )
    }
}
