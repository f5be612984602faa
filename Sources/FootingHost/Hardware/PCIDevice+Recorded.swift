internal import FootingSystem

extension PCIDevice {
    /// The functions as `/proc/bus/pci/devices` lists them, for recordings without sysfs' bus.
    ///
    /// A line is bus and function in hexadecimal (`00` `10`: slot 2), vendor and device id,
    /// interrupt, seven addresses, seven sizes, and the driver's name if one is bound. Domains,
    /// classes and NUMA nodes are not told; see `drivers/pci/proc.c`.
    static func recorded(_ root: HostRoot) -> [PCIDevice] {
        let path = "proc/bus/pci/devices"
        // One line has about 160 bytes; a machine with more functions than fit is cut.
        guard let text = try? root.beginning(path, limitBytes: 262_144) else { return [] }
        return lines(text).compactMap { line in
            let words = line.utf8.split { $0 == 9 || $0 == 32 }.map { String(Substring($0)) }
            guard words.count >= 2, words[0].utf8.count == 4, words[1].utf8.count == 8,
                let place = hexadecimal(words[0]), let ids = hexadecimal(words[1])
            else { return nil }
            let digits: (UInt64) -> String = {
                String(hexadecimalText($0, digits: 2).dropFirst(2))
            }
            let slot = digits(place >> 3 & 31)
            return PCIDevice(
                slot: "0000:\(digits(place >> 8)):\(slot).\(place & 7)",
                ids: UInt32(ids),
                driver: words.count > 17
                    ? .known(words[17]) : .absent("\(path) names no driver"),
                because: "\(path) does not tell"
            )
        }
    }

    private init(slot: String, ids: UInt32, driver: Fact<String>, because reason: String) {
        self.slot = slot
        vendor = UInt16(ids >> 16)
        device = UInt16(truncatingIfNeeded: ids)
        classCode = .absent(reason)
        self.driver = driver
        numaNode = .absent(reason)
        iommuGroup = .absent(reason)
    }
}
