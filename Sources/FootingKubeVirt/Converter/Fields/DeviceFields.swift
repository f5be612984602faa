/// What stands below `spec.domain.devices`.
///
/// What attaches itself is nil where nothing is said.
struct DeviceFields {
    struct Input {
        var name: String
        var bus: String?
        var kind: String?
    }

    struct Watchdog {
        var name: String
        var action: String
    }

    struct Sound {
        var name: String
        var model: String
    }

    struct HostDevice {
        var name: String
        /// `gpu-` or `hostdevice-`, which the alias begins with.
        var prefix: String
        var path: String
    }

    var disks: [DiskFields] = []
    var interfaces: [InterfaceFields] = []
    var inputs: [Input] = []
    var watchdog: Watchdog?
    var sound: Sound?
    var videoModel: String?
    var panicModels: [String?] = []
    /// The names of file systems shared by virtiofs.
    var filesystems: [String] = []
    var hostDevices: [HostDevice] = []
    var isTransitional = false
    var disablesHotplug = false
    var attachesPodInterface: Bool?
    var attachesGraphics: Bool?
    var attachesSerial: Bool?
    var logsSerial: Bool?
    var attachesBalloon: Bool?
    var attachesVSOCK = false
    var hasRandomness = false
    var hasClientPassthrough = false
    var hasDownwardMetrics = false
    var tpm: TPM?
    var blockQueues = false
    var interfaceQueues = false

    struct TPM {
        var isPersistent: Bool
    }

    init(_ reader: FieldReader, _ architecture: Architecture) throws(ConversionError) {
        for disk in try reader.children("disks") { disks.append(try DiskFields(disk)) }
        for interface in try reader.children("interfaces") {
            interfaces.append(try InterfaceFields(interface))
        }
        if architecture.isPCI {
            isTransitional = try reader.bool("useVirtioTransitional") ?? false
        }
        disablesHotplug = try reader.bool("disableHotplug") ?? false
        attachesPodInterface = try reader.bool("autoattachPodInterface")
        attachesGraphics = try reader.bool("autoattachGraphicsDevice")
        attachesSerial = try reader.bool("autoattachSerialConsole")
        logsSerial = try reader.bool("logSerialConsole")
        attachesBalloon = try reader.bool("autoattachMemBalloon")
        attachesVSOCK = try reader.bool("autoattachVSOCK") ?? false
        hasRandomness = try reader.isPresent("rng")
        hasClientPassthrough = try reader.isPresent("clientPassthrough")
        hasDownwardMetrics = try reader.isPresent("downwardMetrics")
        blockQueues = try reader.bool("blockMultiQueue") ?? false
        interfaceQueues = try reader.bool("networkInterfaceMultiqueue") ?? false
        videoModel = try reader.child("video")?.word("type")
        for panic in try reader.children("panicDevices") {
            panicModels.append(try panic.choice("model", ["hyperv", "isa", "pvpanic"]))
        }
        if let reader = try reader.child("tpm") {
            let chip = TPM(isPersistent: try reader.bool("persistent") ?? false)
            if try reader.bool("enabled") ?? true { tpm = chip }
        }
        if let reader = try reader.child("sound") {
            sound = Sound(
                name: try reader.name(),
                model: try reader.choice("model", ["ich9", "ac97"]) ?? "ich9"
            )
        }
        try readInputs(reader)
        try readWatchdog(reader, architecture)
        try readFilesystems(reader)
        if attachesGraphics == false { reader.leave("video") }
        if attachesSerial == false, logsSerial == true { reader.leave("logSerialConsole") }
        hostDevices = try Self.hostDevices(reader, "hostDevices", prefix: "hostdevice-")
        hostDevices += try Self.hostDevices(reader, "gpus", prefix: "gpu-")
    }

    private mutating func readInputs(_ reader: FieldReader) throws(ConversionError) {
        for input in try reader.children("inputs") {
            inputs.append(
                Input(
                    name: try input.name(),
                    bus: try input.choice("bus", ["usb", "virtio"]),
                    kind: try input.choice("type", ["tablet"])
                )
            )
        }
        if try reader.bool("autoattachInputDevice") == true, inputs.isEmpty {
            inputs.append(Input(name: "default-0"))
        }
    }

    private mutating func readWatchdog(
        _ reader: FieldReader,
        _ architecture: Architecture
    ) throws(ConversionError) {
        guard let child = try reader.child("watchdog") else { return }
        let model: String
        switch architecture {
        case .amd64: model = "i6300esb"
        case .s390x: model = "diag288"
        case .arm64: throw reader.error("watchdog", "there is none on arm64")
        }
        let actions = ["poweroff", "reset", "shutdown"]
        watchdog = Watchdog(
            name: try child.name(),
            action: try child.child(model)?.choice("action", actions) ?? "reset"
        )
    }

    private mutating func readFilesystems(_ reader: FieldReader) throws(ConversionError) {
        for filesystem in try reader.children("filesystems") {
            let name = try filesystem.name()
            guard try filesystem.isPresent("virtiofs") else {
                throw filesystem.error("virtiofs", "is required")
            }
            filesystems.append(name)
        }
    }

    private static func hostDevices(
        _ reader: FieldReader,
        _ key: String,
        prefix: String
    ) throws(ConversionError) -> [HostDevice] {
        var devices: [HostDevice] = []
        for device in try reader.children(key) {
            devices.append(
                HostDevice(name: try device.name(), prefix: prefix, path: device.path)
            )
        }
        return devices
    }
}
