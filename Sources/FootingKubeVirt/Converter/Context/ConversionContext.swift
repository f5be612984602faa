/// What a domain depends on and only a cluster or a node knows.
///
/// Where nothing is given, the values are those of a KubeVirt whose configuration says nothing.
struct ConversionContext {
    enum Hypervisor: String { case kvm, hypervDirect = "hyperv-direct" }
    enum Rollout: String { case liveUpdate = "LiveUpdate", stage = "Stage" }

    struct Firmware {
        var code: String
        var variables: String
        var isSecure: Bool?
        /// libvirt picks the firmware by what it must be able to do.
        var selectsItself = false
    }

    struct Interface {
        enum Attachment: String {
            /// There is a tap device for it.
            case tap
            /// Its plugin puts it into the domain by itself.
            case plugin
        }

        var attachment: Attachment?
        var address: String?
        var tap: String?
        var mtu: Int?
        var podInterface: String?
        /// The function that a node gave for SR-IOV.
        var pciAddress: PCIAddress?
    }

    struct Volume {
        var isBlock = false
        var format: String?
        /// Cluster storage that is fully allocated keeps its space: nothing is discarded.
        var isPreallocated = false
        var allowsDirectIO: Bool?
        var isHotplugged = false
        var blockSize: DiskFields.BlockSize?
    }

    enum HostDevice {
        case pci(PCIAddress)
        case mdev(uuid: String)
        case usb(bus: Int, device: Int)
    }

    var architecture: Architecture = .amd64
    var hypervisor: Hypervisor = .kvm
    var hasHypervisorDevice = true
    var allowsEmulation = false
    var namespace = "default"
    var uid: String?
    var firmwareUUID: String?
    var machineType: String?
    var processorModel = "host-model"
    var processorRequest: Quantity?
    var rollout: Rollout = .liveUpdate
    var hotplugRatio = 4
    var maximumSockets: Int?
    var maximumGuestMemory: Quantity?
    var smbios: [(name: String, value: String)] = [
        ("manufacturer", "KubeVirt"), ("family", "KubeVirt"), ("product", "None"), ("sku", ""),
        ("version", ""),
    ]
    var firmware: Firmware?
    var isNonRoot = true
    var balloonStatisticsSeconds = 10
    var reportsFreePages = true
    var logsSerialConsole = true
    var bochsForEFI = false
    var vsockCID: Int?
    var processorSet: [Int] = []
    var cells: [HostCell] = []
    var interfaces: [String: Interface] = [:]
    var volumes: [String: Volume] = [:]
    var hostDevices: [String: HostDevice] = [:]
    var containerDiskFormat: String?
    var ephemeralDisks = "/var/run/kubevirt-ephemeral-disks/disk-data"
    var cloudInit = "/var/run/kubevirt-ephemeral-disks/cloud-init-data"
    var ignition = "/var/run/kubevirt-ephemeral-disks/ignition-data"
    /// Also what KubeVirt writes and libvirt's schema refuses, so that the two can be compared.
    var isAsKubeVirt = false
}

/// A NUMA node of the host.
struct HostCell {
    struct Processor {
        var id: Int
        /// All threads of its core, itself among them; none if that is not known.
        var siblings: [Int]
    }

    struct Distance {
        var id: Int
        var value: Int
    }

    var id: Int
    var processors: [Processor]
    var distances: [Distance]
}
