extension DomainBuilder {
    func interfaceElements() throws(ConversionError) -> [XMLElement?] {
        var elements: [XMLElement?] = []
        for interface in instance.devices.interfaces where interface.state != "absent" {
            guard instance.networks.contains(interface.name) else {
                throw .impossible("\(interface.path): no network “\(interface.name)”")
            }
            elements.append(try element(interface))
        }
        return elements
    }

    private func element(_ interface: InterfaceFields) throws(ConversionError) -> XMLElement? {
        let known = context.interfaces[interface.name]
        switch interface.binding {
        case .sriov: return nil
        case .passt: return try passtElement(interface, known)
        case .tap: break
        case .plugin, .none:
            switch known?.attachment {
            case .tap: break
            case .plugin: return nil
            case nil:
                throw .missing(
                    interface.path,
                    "give interfaces.\(interface.name).attachment in the context: tap, or plugin"
                )
            }
        }
        let hasROM = interface.bootOrder != nil && iommu == nil
        return element(
            interface,
            known,
            kind: "ethernet",
            link: interface.state == "down" ? XMLElement("link", ["state": "down"]) : nil,
            boot: interface.bootOrder,
            rom: architecture.isPCI && !hasROM ? XMLElement("rom", ["enabled": "no"]) : nil
        )
    }

    private func element(
        _ interface: InterfaceFields,
        _ known: ConversionContext.Interface?,
        kind: String,
        source: XMLElement = XMLElement("source"),
        link: XMLElement? = nil,
        boot: Int? = nil,
        rom: XMLElement? = nil,
        extra: [XMLElement] = []
    ) -> XMLElement {
        let isVirtio = interface.model == nil || interface.model == "virtio"
        return XMLElement(
            "interface",
            ["type": kind],
            [
                interface.pciAddress?.element(),
                source,
                known?.tap.map { XMLElement("target", ["dev": $0, "managed": "no"]) },
                XMLElement("model", ["type": isVirtio ? virtioModel : interface.model]),
                (interface.address ?? known?.address).map { XMLElement("mac", ["address": $0]) },
                known?.mtu.map { XMLElement("mtu", ["size": "\($0)"]) },
                boot.map { XMLElement("boot", ["order": "\($0)"]) },
                link,
                Self.alias(interface.name),
                isVirtio ? interfaceDriverElement() : nil,
                rom,
                interface.acpiIndex.map { XMLElement("acpi", ["index": "\($0)"]) },
            ] + extra
        )
    }

    /// As many queues as processors; a tap device has at most 256.
    private func interfaceDriverElement() -> XMLElement? {
        let queues = instance.devices.interfaceQueues ? min(topology.enabledCount, 256) : nil
        guard queues != nil || iommu != nil else { return nil }
        return XMLElement(
            "driver",
            ["name": "vhost", "queues": queues.map { "\($0)" }, "iommu": iommu]
        )
    }

    private func passtElement(
        _ interface: InterfaceFields,
        _ known: ConversionContext.Interface?
    ) throws(ConversionError) -> XMLElement {
        guard let device = known?.podInterface else {
            throw .missing(
                "\(interface.path).passtBinding",
                "give interfaces.\(interface.name).podInterface in the context"
            )
        }
        return element(
            interface,
            known,
            kind: "vhostuser",
            source: XMLElement("source", ["dev": device]),
            extra: [
                XMLElement(
                    "backend",
                    ["type": "passt", "logFile": "/var/run/kubevirt/passt.log"]
                )
            ] + forwardElements(interface)
        )
    }

    /// The ports of the pod's proxy, which are not the guest's.
    private static let proxyPorts = [
        15000, 15001, 15004, 15006, 15008, 15009, 15020, 15021, 15053, 15090,
    ]

    private func forwardElements(_ interface: InterfaceFields) -> [XMLElement] {
        let hasProxy = instance.isAnnotated("sidecar.istio.io/inject", ignoringCase: true)
        let excluded = (hasProxy ? Self.proxyPorts : []).map { port in
            XMLElement("range", ["start": "\(port)", "exclude": "yes"])
        }
        let ranges = { (isUDP: Bool) in
            interface.ports.filter { $0.isUDP == isUDP }.map { port in
                XMLElement("range", ["start": "\(port.number)"])
            }
        }
        let tcp = excluded + ranges(false)
        let udp = ranges(true)
        if tcp.isEmpty, udp.isEmpty {
            return ["tcp", "udp"].map { XMLElement("portForward", ["proto": $0]) }
        }
        return [("tcp", tcp), ("udp", udp)].compactMap { name, ranges in
            ranges.isEmpty ? nil : XMLElement("portForward", ["proto": name], ranges)
        }
    }
}
