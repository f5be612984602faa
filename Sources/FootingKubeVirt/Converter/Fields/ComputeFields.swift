/// `spec.domain.resources`: what the pod asks for, where the guest itself says nothing.
struct ResourceFields {
    var requestedProcessors: Quantity?
    var requestedMemory: Quantity?
    var processorLimit: Quantity?
    var memoryLimit: Quantity?

    init(_ reader: FieldReader?) throws(ConversionError) {
        let requests = try reader?.child("requests")
        let limits = try reader?.child("limits")
        requestedProcessors = try requests?.quantity("cpu")
        requestedMemory = try requests?.quantity("memory")
        processorLimit = try limits?.quantity("cpu")
        memoryLimit = try limits?.quantity("memory")
    }
}

/// `spec.domain.cpu`.
struct ProcessorFields {
    struct Feature {
        var name: String
        var policy: String?
    }

    var sockets = 0
    var cores = 0
    var threads = 0
    var maximumSockets = 0
    var model: String?
    var features: [Feature] = []
    var isDedicated = false
    var isolatesEmulator = false
    var isRealtime = false
    /// `numa` is there, with or without anything in it.
    var hasNUMA = false
    var passesNUMAThrough = false

    /// More virtual processors than any machine type has, so that products stay small.
    static let processorsMaximum = 4096

    init() {}

    /// - Parameters:
    ///   - reader: the map.
    ///   - architecture: arm64 plugs no processors, so that `maxSockets` stays unread there.
    init(_ reader: FieldReader, _ architecture: Architecture) throws(ConversionError) {
        let range = 0...Self.processorsMaximum
        sockets = try reader.integer("sockets", in: range) ?? 0
        cores = try reader.integer("cores", in: range) ?? 0
        threads = try reader.integer("threads", in: range) ?? 0
        if architecture != .arm64 {
            maximumSockets = try reader.integer("maxSockets", in: range) ?? 0
        }
        model = try reader.word("model")
        let policies = ["force", "require", "optional", "disable", "forbid"]
        for feature in try reader.children("features") {
            features.append(
                Feature(
                    name: try feature.name(),
                    policy: try feature.choice("policy", policies)
                )
            )
        }
        isDedicated = try reader.bool("dedicatedCpuPlacement") ?? false
        isolatesEmulator = try reader.bool("isolateEmulatorThread") ?? false
        isRealtime = try reader.isPresent("realtime")
        let numa = try reader.child("numa")
        hasNUMA = numa != nil
        passesNUMAThrough = try numa?.isPresent("guestMappingPassthrough") ?? false
        if isolatesEmulator, !isDedicated {
            throw reader.error("isolateEmulatorThread", "needs dedicatedCpuPlacement")
        }
        if passesNUMAThrough, !isDedicated {
            throw reader.error("numa", "guestMappingPassthrough needs dedicatedCpuPlacement")
        }
    }
}

/// `spec.domain.memory`.
struct MemoryFields {
    var guest: Quantity?
    var maximumGuest: Quantity?
    var hugePageSize: Quantity?

    init() {}

    init(_ reader: FieldReader) throws(ConversionError) {
        guest = try reader.quantity("guest")
        maximumGuest = try reader.quantity("maxGuest")
        if let pages = try reader.child("hugepages") {
            guard let size = try pages.quantity("pageSize"), size > Quantity(0) else {
                throw pages.error("pageSize", "is required, and more than nothing")
            }
            hugePageSize = size
        }
        if let guest, let maximumGuest, guest > maximumGuest {
            throw reader.error("maxGuest", "is less than guest")
        }
    }
}

/// `spec.domain.firmware`.
struct FirmwareFields {
    struct EFI {
        var isSecure: Bool?
    }

    struct KernelBoot {
        var arguments: String?
        var hasContainer = false
        var kernelPath: String?
        var initrdPath: String?
    }

    struct Table {
        var kind: String
        var volume: String
    }

    var uuid: String?
    var serial: String?
    var efi: EFI?
    var hasBootloader = false
    var usesSerial = false
    var kernelBoot: KernelBoot?
    var tables: [Table] = []

    init() {}

    init(_ reader: FieldReader) throws(ConversionError) {
        uuid = try reader.word("uuid")
        if let uuid, !Self.isUUID(uuid) {
            throw reader.error("uuid", "must be a UUID")
        }
        serial = try reader.word("serial")
        if let loader = try reader.child("bootloader") {
            hasBootloader = true
            usesSerial = try loader.child("bios")?.bool("useSerial") ?? false
            if let child = try loader.child("efi") {
                efi = EFI(isSecure: try child.bool("secureBoot"))
            }
        }
        if let kernel = try reader.child("kernelBoot") {
            var boot = KernelBoot(arguments: try kernel.word("kernelArgs"))
            if let container = try kernel.child("container") {
                boot.hasContainer = true
                boot.kernelPath = try container.word("kernelPath")
                boot.initrdPath = try container.word("initrdPath")
            }
            kernelBoot = boot
        }
        if let acpi = try reader.child("acpi") {
            for (key, kind) in [("slicNameRef", "slic"), ("msdmNameRef", "msdm")] {
                if let volume = try acpi.word(key) {
                    tables.append(Table(kind: kind, volume: volume))
                }
            }
            guard !tables.isEmpty else {
                throw reader.error("acpi", "must name a volume with a table")
            }
        }
    }

    private static func isUUID(_ text: String) -> Bool {
        let groups = text.split(separator: "-", omittingEmptySubsequences: false)
        return groups.map(\.utf8.count) == [8, 4, 4, 4, 12]
            && groups.joined().allSatisfy { $0.isASCII && $0.isHexDigit }
    }
}

/// `spec.domain.launchSecurity`.
enum LaunchSecurityFields {
    case sev(encryptsState: Bool, session: String?, dhCert: String?)
    case snp
    case tdx
    /// Nothing is named: on s390x, which has one kind alone, that is enough.
    case unnamed

    /// - Parameters:
    ///   - reader: the map.
    ///   - architecture: the kinds are of amd64, and stay unread elsewhere.
    init(_ reader: FieldReader, _ architecture: Architecture) throws(ConversionError) {
        if architecture != .amd64 {
            self = .unnamed
        } else if let sev = try reader.child("sev") {
            self = .sev(
                encryptsState: try sev.child("policy")?.bool("encryptedState") ?? false,
                session: try sev.word("session"),
                dhCert: try sev.word("dhCert")
            )
        } else if try reader.isPresent("snp") {
            self = .snp
        } else if try reader.isPresent("tdx") {
            self = .tdx
        } else {
            self = .unnamed
        }
    }
}
