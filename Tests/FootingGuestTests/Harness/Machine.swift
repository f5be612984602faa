/// What a guest is made of; each property has the value that starts fastest.
struct Machine {
    /// Which of Debian's kernels it boots.
    enum Kernel: String {
        /// `linux-image-cloud-amd64`: virtio, NVMe, SCSI; starts in half the time of the other.
        case cloud
        /// `linux-image-amd64`: AHCI and USB too.
        case generic
    }

    /// A disk that a device refers to as `drive=NAME`.
    struct Disk {
        var name: String
        /// The size of one that begins with zeros.
        var sizeMebibytes: UInt64 = 0
        /// A file of this machine that it begins with, and that is never written to.
        var original: String?
    }

    var kernel = Kernel.cloud
    /// Under Xen the kernel is domain 0, which the cloud kernel cannot be.
    var isOnXen = false
    var memoryMebibytes = 256
    /// `-M`.
    var board = "q35"
    /// `-cpu`.
    var processor = "max"
    /// `-smp`.
    var processors = "1"
    /// What the firmware says of the machine.
    var firmware: [FirmwareText: String] = [:]
    /// `-device`, and what else QEMU's command line takes, each with its option's name.
    var options: [String] = []
    var disks: [Disk] = []
    /// Names of modules to load, with parameters after a space; others that they need come along.
    var modules: [String] = []
    /// Programs that lie in the guest's `/bin` beside those that every guest has.
    var programs: [GuestKit.Part] = []
    /// Other files of this machine, which the guest has at the same paths.
    var files: [String] = []
    /// More words of the kernel's command line.
    var kernelWords: [String] = []

    /// What the kernel would otherwise find out at length, or test, on every start.
    private static let fastStart =
        "no_timer_check tsc=reliable lpj=4000000 nokaslr mitigations=off random.trust_cpu=on"
        + " audit=0 cryptomgr.notests 8250.nr_uarts=2"

    /// QEMU's names of what the kernel's log goes to, and of the channel to the harness.
    static let log = "log"
    static let channel = "channel"

    /// QEMU's command line without the other ends of its channels.
    ///
    /// KVM is never used, so that a machine is the same wherever the tests run.
    func arguments(initramfs: String, folder: String) -> [String] {
        var words = [
            "-M", board, "-accel", "tcg", "-m", "\(memoryMebibytes)", "-smp", processors,
            "-cpu", processor, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        ]
        let kit = "\(GuestKit.folder)/\(kernel.rawValue)"
        let common = (["panic=-1", Self.fastStart] + kernelWords).joined(separator: " ")
        if isOnXen {
            precondition(kernel == .generic, "CONFIG_XEN_DOM0 is not in the cloud kernel")
            // A list of files, each with its arguments, where a comma in them is doubled.
            let domain = "\(kit)/vmlinux console=hvc0 loglevel=3 \(common)"
            words += [
                "-kernel", "\(GuestKit.folder)/xen/xen",
                "-append", "dom0_mem=\(memoryMebibytes * 2 / 3)M console=com1 com1=115200",
                "-initrd", "\(escaped(domain)),\(escaped(initramfs))",
            ]
        } else {
            words += [
                "-kernel", "\(kit)/vmlinux", "-initrd", initramfs,
                "-append", "console=ttyS0 quiet loglevel=3 \(common)",
            ]
        }
        for (type, texts) in Dictionary(grouping: firmware, by: { $0.key.structure.type }) {
            let pairs = texts.map { "\($0.key.structure.member)=\(escaped($0.value))" }
            words += ["-smbios", (["type=\(type)"] + pairs.sorted()).joined(separator: ",")]
        }
        for disk in disks {
            let file = disk.original.map { "\($0),snapshot=on" } ?? "\(folder)/\(disk.name)"
            words += ["-drive", "if=none,id=\(disk.name),format=raw,file=\(file)"]
        }
        return words + options
            + ["-serial", "chardev:\(Self.log)", "-serial", "chardev:\(Self.channel)"]
    }

    /// QEMU's option lists separate by commas, and take a doubled one as a comma.
    private func escaped(_ text: String) -> String {
        text.split(separator: ",", omittingEmptySubsequences: false).joined(separator: ",,")
    }
}

/// A text of the firmware, by its file's name in `/sys/class/dmi/id`.
enum FirmwareText: String {
    case biosVendor = "bios_vendor"
    case biosVersion = "bios_version"
    case systemVendor = "sys_vendor"
    case productName = "product_name"
    case productVersion = "product_version"
    case productSerial = "product_serial"
    case productUUID = "product_uuid"
    case boardVendor = "board_vendor"
    case boardName = "board_name"
    case boardAssetTag = "board_asset_tag"
    case chassisVendor = "chassis_vendor"
    case chassisAssetTag = "chassis_asset_tag"

    /// Its place in SMBIOS, as QEMU names it.
    var structure: (type: Int, member: String) {
        switch self {
        case .biosVendor: (0, "vendor")
        case .biosVersion: (0, "version")
        case .systemVendor: (1, "manufacturer")
        case .productName: (1, "product")
        case .productVersion: (1, "version")
        case .productSerial: (1, "serial")
        case .productUUID: (1, "uuid")
        case .boardVendor: (2, "manufacturer")
        case .boardName: (2, "product")
        case .boardAssetTag: (2, "asset")
        case .chassisVendor: (3, "manufacturer")
        case .chassisAssetTag: (3, "asset")
        }
    }
}
