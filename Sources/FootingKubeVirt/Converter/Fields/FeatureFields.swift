/// What stands below `spec.domain.features`.
///
/// A feature is nil where it is absent; one without `enabled` is on.
struct FeatureFields {
    /// Nil where it is absent or says nothing: the architecture decides.
    var acpi: Bool?
    var apic: Bool?
    var smm: Bool?
    var hidesKVM: Bool?
    var spinlocks: Bool?
    var hyperv: HypervFields?
    var passesHypervThrough = false

    init() {}

    init(_ reader: FieldReader) throws(ConversionError) {
        acpi = try reader.child("acpi")?.bool("enabled")
        apic = try reader.state("apic")
        smm = try reader.state("smm")
        if let kvm = try reader.child("kvm") { hidesKVM = try kvm.bool("hidden") ?? false }
        spinlocks = try reader.state("pvspinlock")
        hyperv = try reader.child("hyperv").map(HypervFields.init)
        if let hyperv = try reader.child("hypervPassthrough") {
            passesHypervThrough = try hyperv.bool("enabled") ?? true
        }
        if hyperv != nil, passesHypervThrough {
            throw reader.error("hypervPassthrough", "excludes hyperv")
        }
    }
}

extension FieldReader {
    /// Whether a feature is on; nil where it is absent.
    func state(_ key: String) throws(ConversionError) -> Bool? {
        guard let reader = try child(key) else { return nil }
        return try reader.bool("enabled") ?? true
    }
}

/// `spec.domain.features.hyperv`: KVM's imitation of Hyper-V for Windows guests.
struct HypervFields {
    /// The features that are on or off and nothing more, by libvirt's name.
    var states: [String: Bool] = [:]
    var spinlockRetries: Int?
    var vendor: String?
    var directTimer: Bool?
    var directFlush: Bool?
    var extendedFlush: Bool?

    /// KubeVirt's name and libvirt's.
    static let names: [(field: String, element: String)] = [
        ("relaxed", "relaxed"), ("vapic", "vapic"), ("spinlocks", "spinlocks"),
        ("vpindex", "vpindex"), ("runtime", "runtime"), ("synic", "synic"),
        ("synictimer", "stimer"), ("reset", "reset"), ("vendorid", "vendor_id"),
        ("frequencies", "frequencies"), ("reenlightenment", "reenlightenment"),
        ("tlbflush", "tlbflush"), ("ipi", "ipi"), ("evmcs", "evmcs"),
    ]

    init(_ reader: FieldReader) throws(ConversionError) {
        for (field, element) in Self.names {
            guard let child = try reader.child(field) else { continue }
            states[element] = try child.bool("enabled") ?? true
            switch field {
            case "spinlocks":
                spinlockRetries = try child.integer("spinlocks", in: 0...Int(UInt32.max))
            case "vendorid":
                vendor = try child.word("vendorid")
            case "synictimer":
                directTimer = try child.state("direct")
            case "tlbflush":
                directFlush = try child.state("direct")
                extendedFlush = try child.state("extended")
            default: break
            }
        }
    }
}

/// `spec.domain.clock`.
struct ClockFields {
    struct Timer {
        var name: String
        var isPresent: Bool
        var tickPolicy: String?
        var track: String?
    }

    enum Offset {
        case utc(adjustmentSeconds: Int?)
        case zone(String)
    }

    var offset: Offset?
    var timers: [Timer] = []

    init(_ reader: FieldReader) throws(ConversionError) {
        if let utc = try reader.child("utc") {
            offset = .utc(
                adjustmentSeconds: try utc.integer("offsetSeconds", in: -(1 << 40)...(1 << 40))
            )
        } else if let zone = try reader.word("timezone") {
            offset = .zone(zone)
        }
        guard let timer = try reader.child("timer") else { return }
        // The order is upstream's.
        let known: [(field: String, name: String, policies: [String])] = [
            ("rtc", "rtc", ["delay", "catchup"]),
            ("pit", "pit", ["delay", "catchup", "discard"]),
            ("kvm", "kvmclock", []),
            ("hpet", "hpet", ["delay", "catchup", "merge", "discard"]),
            ("hyperv", "hypervclock", []),
        ]
        for (field, name, policies) in known {
            guard let child = try timer.child(field) else { continue }
            timers.append(
                Timer(
                    name: name,
                    isPresent: try child.bool("present") ?? true,
                    tickPolicy: policies.isEmpty
                        ? nil : try child.choice("tickPolicy", policies),
                    track: field == "rtc" ? try child.choice("track", ["guest", "wall"]) : nil
                )
            )
        }
    }
}
