/// Puts every PCI device on the root bus, as some guests need.
enum RootComplex {
    /// The devices in the order in which they get slots, and what stands behind an address.
    private static let devices: [(name: String, behind: Set<String>)] = [
        (
            "interface",
            [
                "source", "target", "model", "mac", "mtu", "boot", "link", "alias", "driver", "rom",
                "acpi", "backend", "portForward",
            ]
        ),
        ("hostdev", ["alias"]),
        ("controller", ["pcihole64"]),
        ("disk", ["blockio", "shareable"]),
        ("input", []),
        ("watchdog", []),
        ("rng", ["driver"]),
        ("memballoon", ["driver"]),
    ]

    static func place(_ element: inout XMLElement) throws(ConversionError) {
        var slots = Slots()
        for (name, behind) in devices {
            for index in element.children.indices where element.children[index].name == name {
                guard isPlaced(element.children[index]),
                    !element.children[index].children.contains(where: { $0.name == "address" })
                else { continue }
                let address = PCIAddress(
                    domain: "0x0000",
                    bus: "0x00",
                    slot: try slots.next(),
                    function: "0x0"
                )
                let place = element.children[index].children.firstIndex {
                    behind.contains($0.name)
                }
                element.children[index].children.insert(
                    address.element(),
                    at: place ?? element.children[index].children.endIndex
                )
            }
        }
    }

    /// Whether it is a PCI device that has an address at all.
    private static func isPlaced(_ device: XMLElement) -> Bool {
        func attribute(_ name: String, of element: XMLElement?) -> String? {
            element?.attributes.first { $0.name == name }?.value
        }
        switch device.name {
        case "hostdev": return attribute("type", of: device) == "pci"
        case "controller": return attribute("model", of: device) != "pcie-root"
        case "disk":
            return attribute("bus", of: device.children.first { $0.name == "target" }) == "virtio"
        case "input": return attribute("bus", of: device) == "virtio"
        default: return true
        }
    }

    /// Slots of the root bus: 0 and 1 are the bridge's and the video card's, and QEMU has a SATA
    /// controller at 0x1F and a sound card at 0x1B.
    private struct Slots {
        private var last = 1

        mutating func next() throws(ConversionError) -> String {
            last += 1
            if last == 0x1B || last == 0x1F { last += 1 }
            guard last < 0x20 else {
                throw .impossible("\(DomainBuilder.rootComplex): no slot is left on the root bus")
            }
            let digits = String(last, radix: 16)
            return "0x" + (digits.utf8.count < 2 ? "0" : "") + digits
        }
    }
}
