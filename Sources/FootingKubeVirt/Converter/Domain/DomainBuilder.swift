/// Makes a domain of an instance whose defaults are filled in.
///
/// The elements stand in the order of upstream's `virtwrap/api/schema.go`, which libvirt does not
/// care for, so that the two can be compared.
struct DomainBuilder {
    let instance: Instance
    let context: ConversionContext
    let architecture: Architecture
    let topology: GuestTopology
    let ioThreads: IOThreadCount?
    let placement: ProcessorPlacement?
    let numa: NUMAPlacement?
    let virtioModel: String

    init(_ instance: Instance, _ context: ConversionContext) throws(ConversionError) {
        self.instance = instance
        self.context = context
        architecture = instance.architecture ?? context.architecture
        virtioModel = architecture.virtioModel(isTransitional: instance.devices.isTransitional)
        topology = try GuestTopology(instance, architecture)
        ioThreads = IOThreadCount(instance)
        placement =
            instance.isDedicated
            ? try ProcessorPlacement(instance, context, topology: topology, threads: ioThreads)
            : nil
        if let placement, instance.processor?.passesNUMAThrough == true {
            numa = try NUMAPlacement(
                placement,
                hostCells: context.cells,
                memoryBytes: UInt64(instance.memory?.guest?.wholeBytes ?? 0),
                pageBytes: instance.memory?.hugePageSize.map { UInt64($0.wholeBytes) }
            )
        } else {
            numa = nil
        }
        try checkNames()
    }

    /// Names are aliases in the domain, where none may stand twice.
    private func checkNames() throws(ConversionError) {
        let devices = instance.devices
        let lists = [
            ("volumes", instance.volumes.map(\.name)),
            ("networks", instance.networks),
            ("domain.devices.disks", devices.disks.map(\.name)),
            ("domain.devices.interfaces", devices.interfaces.map(\.name)),
            ("domain.devices.hostDevices", devices.hostDevices.map { $0.prefix + $0.name }),
            ("domain.devices.filesystems", devices.filesystems),
        ]
        for (field, names) in lists {
            var seen: Set<String> = []
            for name in names where !seen.insert(name).inserted {
                throw .impossible("spec.\(field): the name “\(name)” stands twice")
            }
        }
    }

    func domain() throws(ConversionError) -> XMLElement {
        XMLElement(
            "domain",
            [
                "type": try domainType(),
                "xmlns:qemu": "http://libvirt.org/schemas/domain/qemu/1.0",
            ],
            [
                XMLElement("name", text: "\(instance.namespace)_\(instance.name)"),
                try memoryElement(),
                maximumMemoryElement(),
                memoryBackingElement(),
                try systemElement(),
                informationElement(),
                try devicesElement(),
                clockElement(),
                commandLineElement(),
                metadataElement(),
                featuresElement(),
                processorElement(),
                XMLElement("vcpu", ["placement": "static"], text: "\(topology.count)"),
                hotplugElement(),
                placement?.element,
                numa?.tuneElement,
                ioThreads.flatMap { threads in
                    threads.total == 0
                        ? nil : XMLElement("iothreads", text: "\(threads.total)")
                },
                launchSecurityElement(),
                instance.rebootPolicy.map { policy in
                    XMLElement("on_reboot", text: policy == "Terminate" ? "destroy" : "restart")
                },
            ]
        )
    }

    /// Upstream's decision: the hypervisor's device, software emulation, or neither.
    private func domainType() throws(ConversionError) -> String {
        if context.hasHypervisorDevice {
            return context.hypervisor == .hypervDirect ? "hyperv" : "kvm"
        }
        guard context.allowsEmulation else {
            throw .impossible(
                context.hypervisor == .hypervDirect
                    ? "the context has no /dev/mshv, and allows no emulation"
                    : "the context has no /dev/kvm, and allows no emulation"
            )
        }
        return "qemu"
    }

    /// KubeVirt's own part, which its launcher fills in before it defines the domain.
    private func metadataElement() -> XMLElement {
        XMLElement(
            "metadata",
            [:],
            [
                XMLElement(
                    "kubevirt",
                    ["xmlns": "http://kubevirt.io"],
                    [XMLElement("uid", text: "")]
                )
            ]
        )
    }

    /// Ignition's data, which QEMU hands to the guest's firmware interface.
    private func commandLineElement() -> XMLElement? {
        guard let data = instance.annotations["kubevirt.io/ignitiondata"],
            data.contains("ignition")
        else { return nil }
        let file = "\(context.ignition)/\(instance.namespace)/\(instance.name)/data.ign"
        return XMLElement(
            "qemu:commandline",
            [:],
            [
                XMLElement("qemu:arg", ["value": "-fw_cfg"]),
                XMLElement("qemu:arg", ["value": "name=opt/com.coreos/config,file=\(file)"]),
            ]
        )
    }
}
