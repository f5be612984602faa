/// How a block device is attached: one line for each driver.
struct BlockInterface: Sendable {
    let driver: String
    let name: String
    /// Whether the device exists only as an agreement with a hypervisor.
    let isParavirtual: Bool

    private init(_ driver: String, _ name: String, paravirtual: Bool = false) {
        self.driver = driver
        self.name = name
        isParavirtual = paravirtual
    }

    static let table: [BlockInterface] = [
        .init("virtio_blk", "virtio-blk", paravirtual: true),
        .init("virtio_scsi", "virtio-scsi", paravirtual: true),
        .init("virtio_pmem", "virtio-pmem", paravirtual: true),
        .init("vmw_pvscsi", "pvscsi", paravirtual: true),
        .init("hv_storvsc", "hyperv-storvsc", paravirtual: true),
        .init("storvsc", "hyperv-storvsc", paravirtual: true),
        .init("vbd", "xen-blkfront", paravirtual: true),
        .init("xen_blkfront", "xen-blkfront", paravirtual: true),
        .init("vscsi", "xen-scsifront", paravirtual: true),
        .init("ibmvscsi", "ibmvscsi", paravirtual: true),
        .init("ibmvfc", "ibmvfc", paravirtual: true),
        .init("nvme", "nvme"),
        .init("ahci", "ata"),
        .init("ata_piix", "ata"),
        .init("pata_acpi", "ata"),
        .init("mmcblk", "mmc"),
        .init("usb-storage", "usb"),
        .init("uas", "usb"),
        .init("mptspi", "scsi"),
        .init("mptsas", "scsi"),
        .init("sym53c8xx", "scsi"),
        .init("mpt3sas", "sas"),
        .init("mpi3mr", "sas"),
        .init("megaraid_sas", "raid"),
        .init("hpsa", "raid"),
        .init("smartpqi", "raid"),
        .init("aacraid", "raid"),
        .init("qla2xxx", "fibre-channel"),
        .init("lpfc", "fibre-channel"),
        .init("iscsi_tcp", "iscsi"),
        .init("nd_pmem", "pmem"),
        .init("dasd-eckd", "dasd"),
        .init("dasd-fba", "dasd"),
        .init("zfcp", "zfcp"),
        .init("ub", "uml-ubd"),
    ]

    /// Devices that the kernel makes up, by the beginning of their names.
    static let software: [(prefix: String, name: String)] = [
        ("loop", "loop"), ("dm-", "device-mapper"), ("md", "md"), ("zram", "zram"),
        ("ram", "ram"), ("nbd", "nbd"), ("rbd", "rbd"), ("drbd", "drbd"), ("bcache", "bcache"),
        ("zd", "zvol"), ("ublkb", "ublk"),
    ]

    /// Whether a name is one that the kernel gives to devices it makes up.
    static func isSoftware(_ name: String) -> Bool {
        software.contains { name.hasPrefix($0.prefix) }
    }

    /// The interface by the folders above the device, the nearest first: where a recording has no
    /// links to drivers, the buses' own names tell.
    static func interface(_ name: String, above folders: [String]) -> BlockInterface? {
        for folder in folders {
            guard let place = places.first(where: { folder.hasPrefix($0.prefix) }) else {
                continue
            }
            let isDisk = name.hasPrefix("sd") || name.hasPrefix("sr")
            let driver = place.driver == "virtio_blk" && isDisk ? "virtio_scsi" : place.driver
            return table.first { $0.driver == driver }
        }
        return nil
    }

    private static let places: [(prefix: String, driver: String)] = [
        ("virtio", "virtio_blk"), ("vmbus_", "storvsc"), ("VMBUS:", "storvsc"), ("vbd-", "vbd"),
        ("ata", "ahci"), ("usb", "usb-storage"), ("mmc_host", "mmcblk"), ("rport-", "lpfc"),
        ("session", "iscsi_tcp"), ("end_device-", "mpt3sas"), ("nvme", "nvme"),
    ]

    /// What a cloud or a hypervisor says in a model number, by its beginning: one line for each.
    ///
    /// A longer text stands before one that it begins with.
    private static let models: [(prefix: String, product: String)] = [
        ("Amazon Elastic Block Store", "amazon-ebs"),
        ("Amazon EC2 NVMe Instance Storage", "amazon-instance-store"),
        ("MSFT NVMe Accelerator", "azure-nvme"),
        ("Microsoft NVMe Direct Disk", "azure-local-nvme"),
        ("nvme_card-pd", "google-persistent-disk"),
        ("PersistentDisk", "google-persistent-disk"),
        ("nvme_card", "google-local-ssd"),
        ("EphemeralDisk", "google-local-ssd"),
        ("VMware Virtual NVMe Disk", "vmware-nvme"),
        ("QEMU NVMe Ctrl", "qemu-nvme"),
    ]

    /// Paravirtual clothing of NVMe, by PCI id: one line for each.
    private static func nvmeProduct(_ id: UInt32) -> String? {
        switch id {
        case 0x1d0f_8061, 0x1d0f_0061: "amazon-ebs"
        case 0x1d0f_cd00, 0x1d0f_cd01, 0x1d0f_cd02: "amazon-instance-store"
        case 0x1414_b111: "azure-nvme"
        case 0x1ae0_001f: "google-persistent-disk"
        case 0x15ad_07f0: "vmware-nvme"
        case 0x1b36_0010: "qemu-nvme"
        default: nil
        }
    }

    /// The product behind a model number; behind the PCI id where the model says nothing, since one
    /// id may stand for network and local disks.
    static func product(model: String?, identity: UInt32?) -> Fact<String> {
        if let model, let line = models.first(where: { model.hasPrefix($0.prefix) }) {
            return .known(line.product)
        }
        return identity.flatMap { nvmeProduct($0) }.map { .known($0) }
            ?? .absent("no known model and no known PCI id above it")
    }
}
