public import FootingSystem

/// What tells a disk from every other one, whatever the kernel calls it today.
public struct DeviceIdentity: Sendable, Hashable {
    /// The device's own name: its WWID, serial number or card number; its place where it has none.
    public let own: String
    /// Where it hangs: the bus's addresses without the kernel's numbers.
    public let place: String

    init(own: String, place: String) {
        self.own = own
        self.place = place
    }

    /// Asks a device who it is.
    init(_ name: String, _ root: HostRoot) {
        let folder = "sys/block/\(name)"
        place = Self.place(name, root)
        func text(_ attribute: String) -> String? {
            guard let text = try? root.attribute("\(folder)/\(attribute)"), !text.isEmpty,
                text.utf8.count <= 256, text.utf8.allSatisfy({ (0x20...0x7e).contains($0) })
            else { return nil }
            return text
        }
        if let wwid = text("wwid") ?? text("device/wwid") {
            own = "wwid:\(wwid)"
        } else if let card = text("device/cid") {
            own = "cid:\(card)"
        } else if let serial = text("serial") {
            own = "serial:\(serial)"
        } else {
            own = "place:\(place)"
        }
    }

    /// Who a disk is among those that are there: by its place if another one has its own name, as
    /// copies of a virtual disk have.
    static func telling(_ name: String, _ root: HostRoot) -> DeviceIdentity {
        let identity = DeviceIdentity(name, root)
        let names = (try? root.names("sys/block")) ?? []
        let isShared = names.contains { $0 != name && DeviceIdentity($0, root).own == identity.own }
        guard isShared else { return identity }
        return DeviceIdentity(own: "place:\(identity.place)", place: identity.place)
    }

    /// Whether what has a name now says that it is this disk; others may say so too.
    func isShown(by name: String, _ root: HostRoot) -> Bool {
        // Without a name of its own, or with one that others have, its place is all there is.
        if own == "place:\(place)" { return Self.place(name, root) == place }
        return DeviceIdentity(name, root).own == own
    }

    /// What there is to see of a disk now.
    enum Presence: Equatable {
        /// It has this name.
        case here(String)
        /// Nobody says that they are it.
        case gone
        /// Several do.
        case unclear
    }

    /// Looks for a disk.
    static func look(for identity: DeviceIdentity, _ root: HostRoot) -> Presence {
        let names = (try? root.names("sys/block")) ?? []
        let alike = names.filter { identity.isShown(by: $0, root) }
        guard let first = alike.first else { return .gone }
        if alike.count == 1 { return .here(first) }
        // Copies of a virtual disk have one serial number: then the place decides.
        let here = alike.filter { DeviceIdentity($0, root).place == identity.place }
        return here.count == 1 ? .here(here[0]) : .unclear
    }

    /// The name that a disk has now.
    ///
    /// - Returns: nil if it is not there, or if several say that they are it.
    public static func find(_ identity: DeviceIdentity, _ root: HostRoot) -> String? {
        if case .here(let name) = look(for: identity, root) { return name }
        return nil
    }

    /// `pci0000:00/0000:00:05.0/scsi-0:1:0` for `…/virtio2/host6/target6:0:1/6:0:1:0/block/sda`.
    static func place(_ name: String, _ root: HostRoot) -> String {
        guard let link = try? root.link("sys/block/\(name)") else { return name }
        var parts: [String] = []
        for part in link.split(separator: "/").map(String.init) {
            switch part {
            case "..", ".", "devices", "block", "nvme", "mmc_host", name: continue
            default: break
            }
            let numbers = part.split(separator: ":", omittingEmptySubsequences: false)
            if numbers.count == 4, numbers.allSatisfy({ Int($0) != nil }) {
                // The first is the host adapter's, counted in the order of their discovery.
                parts.append("scsi-\(numbers.dropFirst().joined(separator: ":"))")
            } else if part.hasPrefix("ata"), Int(part.dropFirst(3)) != nil {
                let port = try? root.attribute("sys/class/ata_port/\(part)/port_no")
                parts.append(port.map { "ata-port-\($0)" } ?? part)
            } else if !isCounted(part) {
                parts.append(part)
            }
        }
        if let namespace = try? root.attribute("sys/block/\(name)/nsid"), !namespace.isEmpty {
            parts.append("nsid-\(namespace)")
        }
        return parts.isEmpty ? name : parts.joined(separator: "/")
    }

    /// Whether a folder's name only counts: `virtio2`, `host6`, `target6:0:1`, `nvme0`.
    private static func isCounted(_ part: String) -> Bool {
        if part.hasPrefix("target"), part.contains(":") { return true }
        return ["virtio", "host", "nvme", "mmc", "nvme-subsys"].contains { prefix in
            part.hasPrefix(prefix) && UInt(part.dropFirst(prefix.count)) != nil
        }
    }
}
