extension DomainBuilder {
    func controllerElements() -> [XMLElement?] {
        let driver = iommu.map { XMLElement("driver", ["iommu": $0]) }
        return [
            controller("usb", needsUSB ? "qemu-xhci" : "none"),
            needsSCSI
                ? controller(
                    "scsi",
                    architecture == .s390x ? "virtio-scsi" : virtioModel,
                    [scsiDriverElement()]
                ) : nil,
            disablesLargeWindow
                ? controller(
                    "pci",
                    "pcie-root",
                    [XMLElement("pcihole64", ["unit": "KiB"], text: "0")]
                ) : nil,
            hasSerial ? controller("virtio-serial", virtioModel, [driver]) : nil,
        ]
    }

    private func controller(
        _ kind: String,
        _ model: String,
        _ children: [XMLElement?] = []
    ) -> XMLElement {
        XMLElement("controller", ["type": kind, "index": "0", "model": model], children)
    }

    private var disablesLargeWindow: Bool {
        architecture == .amd64
            && instance.isAnnotated("kubevirt.io/disablePCIHole64", ignoringCase: true)
    }

    private var needsUSB: Bool {
        switch architecture {
        case .s390x: return false
        case .arm64: return true
        case .amd64:
            let devices = instance.devices
            // Only disks count, not drives for removable media: so it is upstream.
            return devices.inputs.contains { ($0.bus ?? "usb") == "usb" }
                || devices.disks.contains { $0.device == .disk && $0.bus == "usb" }
                || devices.hasClientPassthrough
                || devices.hostDevices.contains { device in
                    if case .usb = context.hostDevices[device.name] { return true }
                    return false
                }
        }
    }

    private var needsSCSI: Bool {
        !instance.devices.disablesHotplug || instance.devices.disks.contains { $0.bus == "scsi" }
    }

    /// The I/O thread of the SCSI controller, if a disk behind it asks for one of its own.
    private func scsiDriverElement() -> XMLElement? {
        let disks = instance.devices.disks
        guard let threads = ioThreads, threads.shared > 0,
            disks.contains(where: { $0.bus == "scsi" && $0.hasOwnThread })
        else { return iommu.map { XMLElement("driver", ["iommu": $0]) } }
        let sharing = disks.count { $0.bus == "virtio" && !$0.hasOwnThread }
        return XMLElement(
            "driver",
            [
                "iothread": "\(sharing % threads.shared + 1)",
                "queues": "\(topology.enabledCount)", "iommu": iommu,
            ]
        )
    }
}
