extension DomainBuilder {
    /// Devices of the host, in upstream's order: of each list PCI first, then mediated, then USB.
    func hostDeviceElements() throws(ConversionError) -> [XMLElement?] {
        var elements: [XMLElement?] = []
        for prefix in ["hostdevice-", "gpu-"] {
            var ordered: [[XMLElement]] = [[], [], []]
            for device in instance.devices.hostDevices where device.prefix == prefix {
                guard let known = context.hostDevices[device.name] else {
                    throw .missing(
                        device.path,
                        "give hostDevices.\(device.name) in the context: pci, mdev or usb"
                    )
                }
                switch known {
                case .pci(let address):
                    ordered[0].append(element(address, alias: prefix + device.name))
                case .mdev(let uuid):
                    let isFirstGPU = prefix == "gpu-" && ordered[1].isEmpty
                    ordered[1].append(
                        element(mdev: uuid, alias: prefix + device.name, hasDisplay: isFirstGPU)
                    )
                case .usb(let bus, let number):
                    ordered[2].append(element(usb: bus, number, name: device.name))
                }
            }
            elements += ordered.flatMap(\.self)
        }
        for interface in instance.devices.interfaces where interface.binding == .sriov {
            guard interface.state != "absent" else { continue }
            elements.append(try element(sriov: interface))
        }
        return elements
    }

    /// libvirt's schema wants a mode, and no type in the host's own address; KubeVirt has it the
    /// other way round.
    private func element(
        _ address: PCIAddress,
        alias: String,
        boot: Int? = nil,
        guest: PCIAddress? = nil
    ) -> XMLElement {
        XMLElement(
            "hostdev",
            ["type": "pci", "managed": "no", "mode": context.isAsKubeVirt ? nil : "subsystem"],
            [
                XMLElement("source", [:], [address.element(hasType: context.isAsKubeVirt)]),
                boot.map { XMLElement("boot", ["order": "\($0)"]) },
                guest?.element(),
                Self.alias(alias),
            ]
        )
    }

    private func element(mdev uuid: String, alias: String, hasDisplay: Bool) -> XMLElement {
        XMLElement(
            "hostdev",
            [
                "type": "mdev", "mode": "subsystem", "model": "vfio-pci",
                "display": hasDisplay ? "on" : nil, "ramfb": hasDisplay ? "on" : nil,
            ],
            [
                XMLElement("source", [:], [XMLElement("address", ["uuid": uuid])]),
                Self.alias(alias),
            ]
        )
    }

    private func element(usb bus: Int, _ number: Int, name: String) -> XMLElement {
        XMLElement(
            "hostdev",
            ["type": "usb", "mode": "subsystem"],
            [
                XMLElement(
                    "source",
                    [:],
                    [XMLElement("address", ["bus": "\(bus)", "device": "\(number)"])]
                ),
                Self.alias("usb-host-\(name)"),
            ]
        )
    }

    private func element(sriov interface: InterfaceFields) throws(ConversionError) -> XMLElement {
        guard let address = context.interfaces[interface.name]?.pciAddress else {
            throw .missing(
                "\(interface.path).sriov",
                "give interfaces.\(interface.name).pciAddress in the context"
            )
        }
        return element(
            address,
            alias: "sriov-\(interface.name)",
            boot: interface.bootOrder,
            guest: interface.pciAddress
        )
    }
}
