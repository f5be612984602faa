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

    /// Paravirtual clothing of NVMe, by PCI id: one line for each.
    static func nvmeProduct(_ id: UInt32) -> String? {
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
}
