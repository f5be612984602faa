public import FootingSystem

/// An Intel QuickAssist device, and what keeps it from being used (sysfs-driver-qat).
///
/// All by reading sysfs: no library is loaded and no device is opened, so none of this proves that
/// anything is compressed or encrypted by it.
public struct QATDevice: Sendable {
    /// How far the device is from being used: the first that holds.
    public enum Condition: String, Sendable {
        /// Only Intel's own driver knows this generation.
        case unsupported
        /// No driver is bound.
        case noDriver = "no-driver"
        /// The physical function is down.
        case down
        /// It offers neither compression nor symmetric encryption.
        case noService = "no-service"
        /// It has no virtual functions.
        case noVirtualFunction = "no-virtual-function"
        /// Virtual functions cannot be handed to a process without an IOMMU.
        case noIOMMU = "no-iommu"
        /// A virtual function is bound to something else than `vfio-pci`.
        case wrongDriver = "wrong-driver"
        /// Nothing in sysfs stands in the way.
        case ready
    }

    /// PCI slot.
    public let slot: String
    /// The family, as `4xxx`.
    public let family: String
    /// Hardware generation, 1 to 6.
    public let generation: Int
    /// Whether this is a virtual function, all that a guest sees.
    public let isVirtualFunction: Bool
    /// The driver bound to it.
    public let driver: Fact<String>
    /// Whether the physical function is up (`qat/state`).
    public let isUp: Fact<Bool>
    /// What it is configured for, as `sym` and `dc` (`qat/cfg_services`).
    public let services: Fact<[String]>
    /// Virtual functions it has now (`sriov_numvfs`).
    public let virtualFunctions: Fact<Int>
    /// The devices that the IOMMU cannot tell from it: `/dev/vfio` has a node for them.
    public let iommuGroup: Fact<Int>
    /// What stands in the way.
    public let condition: Condition
    /// What to do about it; empty if there is nothing to do.
    public let remedy: String

    private struct Family {
        let name: String
        let generation: Int
        let physical: UInt16
        let virtual: UInt16
    }

    /// Device ids under vendor 0x8086: one line for each family.
    private static let families: [Family] = [
        Family(name: "dh89xx", generation: 1, physical: 0x0434, virtual: 0x0442),
        Family(name: "dh895xcc", generation: 1, physical: 0x0435, virtual: 0x0443),
        Family(name: "c62x", generation: 2, physical: 0x37c8, virtual: 0x37c9),
        Family(name: "c3xxx", generation: 2, physical: 0x19e2, virtual: 0x19e3),
        Family(name: "d15xx", generation: 2, physical: 0x6f54, virtual: 0x6f55),
        Family(name: "200xx", generation: 2, physical: 0x18ee, virtual: 0x18ef),
        Family(name: "c4xxx", generation: 3, physical: 0x18a0, virtual: 0x18a1),
        Family(name: "4xxx", generation: 4, physical: 0x4940, virtual: 0x4941),
        Family(name: "401xx", generation: 4, physical: 0x4942, virtual: 0x4943),
        Family(name: "402xx", generation: 4, physical: 0x4944, virtual: 0x4945),
        Family(name: "420xx", generation: 5, physical: 0x4946, virtual: 0x4947),
        Family(name: "6xxx", generation: 6, physical: 0x4948, virtual: 0x4949),
    ]

    /// Every such device of a machine.
    public static func all(in root: HostRoot) -> [QATDevice] {
        all(root, pci: PCIDevice.all(root))
    }

    /// Every such device among the PCI functions.
    static func all(_ root: HostRoot, pci: [PCIDevice]) -> [QATDevice] {
        pci.compactMap { function in
            guard function.vendor == 0x8086,
                let family = families.first(where: {
                    $0.physical == function.device || $0.virtual == function.device
                })
            else { return nil }
            return QATDevice(function, family, root)
        }
    }

    private init(_ function: PCIDevice, _ family: Family, _ root: HostRoot) {
        slot = function.slot
        self.family = family.name
        generation = family.generation
        isVirtualFunction = function.device == family.virtual
        driver = function.driver
        iommuGroup = function.iommuGroup
        if isVirtualFunction {
            let reason = "only the physical function tells"
            isUp = .absent(reason)
            services = .absent(reason)
            virtualFunctions = .absent("a virtual function has none of its own")
        } else {
            let folder = Attributes("sys/bus/pci/devices/\(slot)", root)
            isUp = folder.fact("qat/state").map { $0 == "up" }
            services = folder.fact("qat/cfg_services").map { pieces($0, separator: ";") }
            virtualFunctions = folder.count("sriov_numvfs")
        }
        let finding = Self.finding(
            family,
            isVirtualFunction: isVirtualFunction,
            driver: driver.value,
            isUp: isUp.value,
            services: services.value,
            virtualFunctions: virtualFunctions.value,
            hasGroup: function.iommuGroup.value != nil
        )
        condition = finding.condition
        remedy = finding.remedy
    }

    /// The ladder, from what is missing first to what is missing last.
    private static func finding(
        _ family: Family,
        isVirtualFunction: Bool,
        driver: String?,
        isUp: Bool?,
        services: [String]?,
        virtualFunctions: Int?,
        hasGroup: Bool
    ) -> (condition: Condition, remedy: String) {
        if family.generation < 4 {
            let remedy = "needs Intel's out-of-tree driver; QATlib drives 4xxx and newer"
            return (.unsupported, remedy)
        }
        if isVirtualFunction {
            guard let driver else {
                return (.noDriver, "bind it to vfio-pci: modprobe vfio-pci, restart qat.service")
            }
            guard driver == "vfio-pci" else {
                return (.wrongDriver, "bound to \(driver), not vfio-pci: restart qat.service")
            }
            return hasGroup
                ? (.ready, "") : (.noIOMMU, "boot with intel_iommu=on and VT-d on")
        }
        guard driver != nil else {
            let module = family.generation == 4 ? "4xxx" : family.name
            return (.noDriver, "modprobe qat_\(module); its firmware belongs into /lib/firmware")
        }
        if isUp == false {
            return (.down, "systemctl start qat, or write up to the device's qat/state")
        }
        let wanted = ["dc", "dcc", "decomp", "sym"]
        if let services, !services.contains(where: { wanted.contains($0) }) {
            return (.noService, "set ServicesEnabled=sym;dc in /etc/sysconfig/qat, restart qat")
        }
        if virtualFunctions ?? 0 <= 0 {
            return (.noVirtualFunction, "systemctl enable --now qat, with SR-IOV on")
        }
        return hasGroup ? (.ready, "") : (.noIOMMU, "boot with intel_iommu=on and VT-d on")
    }
}
