/// An interface of `spec.domain.devices.interfaces`.
struct InterfaceFields {
    enum Binding: Hashable {
        /// Bridge and masquerade: KubeVirt makes a tap device.
        case tap
        case sriov
        case passt
        /// A binding plugin: what it makes is the cluster's to say.
        case plugin
        /// No binding is named.
        case none
    }

    struct Port {
        var number: Int
        var isUDP: Bool
    }

    var name: String
    var path: String
    var model: String?
    var binding: Binding
    var address: String?
    var bootOrder: Int?
    var pciAddress: PCIAddress?
    var acpiIndex: Int?
    var state: String?
    var ports: [Port] = []

    /// KubeVirt's own, where a manifest names neither interfaces nor networks.
    init(default name: String) {
        self.name = name
        path = "spec.domain.devices.interfaces"
        binding = .tap
    }

    init(_ reader: FieldReader) throws(ConversionError) {
        name = try reader.name()
        path = reader.path
        model = try reader.word("model")
        let isBridge = try reader.isPresent("bridge")
        let isMasquerade = try reader.isPresent("masquerade")
        if isBridge || isMasquerade {
            binding = .tap
        } else if try reader.isPresent("sriov") {
            binding = .sriov
        } else if try reader.isPresent("passtBinding") {
            binding = .passt
        } else if try reader.isPresent("binding") {
            binding = .plugin
        } else {
            binding = .none
        }
        address = try reader.word("macAddress")
        if let address, !Self.isAddress(address) {
            throw reader.error("macAddress", "must be an address like 02:00:00:00:00:01")
        }
        bootOrder = try reader.integer("bootOrder", in: 1...Int(UInt32.max))
        pciAddress = try PCIAddress(reader, "pciAddress")
        acpiIndex = try reader.integer("acpiIndex", in: 0...Int(Int32.max)).flatMap {
            $0 == 0 ? nil : $0
        }
        state = try reader.choice("state", ["absent", "up", "down"])
        leaveWhatHasNoEffect(reader)
        guard binding == .passt else { return }
        for port in try reader.children("ports") { ports.append(try Self.port(port)) }
    }

    /// What a binding does not have, and KubeVirt passes over: told, not dropped.
    private func leaveWhatHasNoEffect(_ reader: FieldReader) {
        switch binding {
        case .sriov: reader.leave("model", "macAddress", "acpiIndex")
        case .passt: reader.leave("bootOrder")
        case .tap, .plugin, .none: return
        }
        if state == "down" { reader.leave("state") }
    }

    private static func port(_ reader: FieldReader) throws(ConversionError) -> Port {
        guard let number = try reader.integer("port", in: 1...65535) else {
            throw reader.error("port", "is required")
        }
        let kind = try reader.word("protocol")?.lowercased() ?? "tcp"
        guard kind == "tcp" || kind == "udp" else {
            throw reader.error("protocol", "must be TCP or UDP")
        }
        return Port(number: number, isUDP: kind == "udp")
    }

    static func isAddress(_ text: String) -> Bool {
        let separator: Character = text.contains("-") ? "-" : ":"
        let parts = text.split(separator: separator, omittingEmptySubsequences: false)
        return parts.count == 6
            && parts.allSatisfy {
                $0.utf8.count == 2 && $0.allSatisfy { $0.isASCII && $0.isHexDigit }
            }
    }
}
