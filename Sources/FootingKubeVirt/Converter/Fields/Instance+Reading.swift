extension Instance {
    /// Reads a VirtualMachineInstance, or the template of a VirtualMachine.
    ///
    /// - Parameters:
    ///   - document: the object.
    ///   - context: where the architecture comes from if the object names none.
    ///   - report: gets every map that is opened.
    init(
        document: YAMLNode,
        context: ConversionContext,
        report: FieldReport
    ) throws(ConversionError) {
        let object = try FieldReader(document, path: "", pattern: "", report: report)
        guard try object.choice("apiVersion", ["kubevirt.io/v1", "kubevirt.io/v1alpha3"]) != nil
        else { throw object.error("apiVersion", "must be kubevirt.io/v1") }
        switch try object.word("kind") {
        case "VirtualMachineInstance":
            try self.init(object, metadata: object.child("metadata"), context)
        case "VirtualMachine":
            try self.init(machine: object, context)
        default:
            throw object.error("kind", "must be VirtualMachineInstance or VirtualMachine")
        }
    }

    private init(machine: FieldReader, _ context: ConversionContext) throws(ConversionError) {
        let metadata = try machine.child("metadata", pattern: "machine.metadata")
        guard let spec = try machine.child("spec", pattern: "machine.spec"),
            let template = try spec.child("template", pattern: "")
        else { throw machine.error("spec", "must have a template") }
        guard let metadata else { throw machine.error("metadata", "must have a name") }
        try self.init(template, metadata: template.child("metadata"), context)
        // An instance has its machine's name and namespace, and a UID of its own.
        name = try metadata.name()
        namespace = try metadata.optionalName("namespace") ?? context.namespace
        uid = context.uid ?? ""
    }

    private init(
        _ object: FieldReader,
        metadata: FieldReader?,
        _ context: ConversionContext
    ) throws(ConversionError) {
        let isTemplate = object.pattern.isEmpty && !object.path.isEmpty
        if isTemplate {
            name = ""
            namespace = context.namespace
            uid = ""
        } else {
            guard let metadata else { throw object.error("metadata", "must have a name") }
            name = try metadata.name()
            namespace = try metadata.optionalName("namespace") ?? context.namespace
            let own = try metadata.optionalName("uid")
            uid = context.uid ?? own ?? ""
        }
        guard let spec = try object.child("spec"), let domain = try spec.child("domain") else {
            throw object.error("spec", "must have a domain")
        }
        let known = Architecture.allCases.map(\.rawValue)
        architecture = try spec.choice("architecture", known).flatMap(Architecture.init)
        startsPaused = try spec.choice("startStrategy", ["Paused"]) != nil
        resources = try ResourceFields(domain.child("resources"))
        let target = architecture ?? context.architecture
        annotations = try Self.annotations(metadata?.child("annotations"), on: target)
        processor = try domain.child("cpu").map { reader throws(ConversionError) in
            try ProcessorFields(reader, target)
        }
        memory = try domain.child("memory").map(MemoryFields.init)
        machineType = try domain.child("machine")?.word("type")
        firmware = try domain.child("firmware").map(FirmwareFields.init)
        clock = try domain.child("clock").map(ClockFields.init)
        features = try domain.child("features").map(FeatureFields.init)
        if target != .arm64, let reader = try domain.child("launchSecurity") {
            launchSecurity = try LaunchSecurityFields(reader, target)
        }
        rebootPolicy = try domain.choice("rebootPolicy", ["Reboot", "Terminate"])
        let policies = ["shared", "auto", "supplementalPool"]
        ioThreadsPolicy = try domain.choice("ioThreadsPolicy", policies)
            .flatMap(IOThreadsPolicy.init)
        if ioThreadsPolicy == .supplementalPool {
            supplementalThreads = try domain.child("ioThreads")?
                .integer("supplementalPoolThreadCount", in: 1...FieldReader.listMaximum)
            guard supplementalThreads != nil else {
                throw domain.error("ioThreads", "must have a supplementalPoolThreadCount")
            }
        }
        if let reader = try domain.child("chassis") {
            chassis = []
            for key in ["manufacturer", "version", "serial", "asset", "sku"] {
                chassis?.append((key, try reader.string(key) ?? ""))
            }
        }
        guard let devices = try domain.child("devices") else {
            throw domain.error("devices", "is required")
        }
        self.devices = try DeviceFields(devices, target)
        volumes = []
        for volume in try spec.children("volumes") { volumes.append(try VolumeFields(volume)) }
        networks = []
        for network in try spec.children("networks") { networks.append(try network.name()) }
        status = try StatusFields(isTemplate ? nil : object.child("status"))
    }

    /// Only what has an effect is read; the tables know the others.
    private static func annotations(
        _ reader: FieldReader?,
        on architecture: Architecture
    ) throws(ConversionError) -> [String: String] {
        guard let reader else { return [:] }
        let known = FieldTable.annotations(on: architecture)
        var annotations: [String: String] = [:]
        for key in reader.keys where known.contains(key) {
            annotations[key] = try reader.string(key)
        }
        return annotations
    }
}

extension StatusFields {
    fileprivate init(_ reader: FieldReader?) throws(ConversionError) {
        guard let reader else { return }
        vsockCID = try reader.integer("VSOCKCID", in: 3...Int(UInt32.max))
        runtimeUser = try reader.integer("runtimeUser", in: 0...Int(UInt32.max))
        for volume in try reader.children("volumeStatus") {
            let name = try volume.name()
            guard let target = try volume.word("target") else { continue }
            guard target.utf8.allSatisfy({ (0x61...0x7A).contains($0) }) else {
                throw volume.error("target", "must be a device's name, as vda")
            }
            targets[name] = target
        }
    }
}
