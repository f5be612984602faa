internal import FootingSystem

/// A controller of pins or of a small serial bus.
public struct PeripheralController: Sendable {
    /// `gpio`, `i2c` or `spi`.
    public let bus: String
    /// Kernel name, as `gpiochip0`, `i2c-1` or `spi0`.
    public let name: String
    /// What it calls itself, or the device it belongs to.
    public let label: Fact<String>
    /// Devices that the kernel knows on it, as `1-0050`.
    public let devices: [String]

    /// GPIO chips, I2C adapters and SPI controllers; no bus is spoken to.
    static func all(_ root: HostRoot) -> [PeripheralController] {
        chips(root) + adapters(root) + controllers(root)
    }

    /// `/sys/bus/gpio/devices`; the names of chips are those of `/dev`.
    private static func chips(_ root: HostRoot) -> [PeripheralController] {
        let folder = "sys/bus/gpio/devices"
        return root.namesIfPresent(folder).filter { $0.hasPrefix("gpiochip") }.map { name in
            PeripheralController(
                bus: "gpio",
                name: name,
                label: owner("\(folder)/\(name)", root),
                devices: []
            )
        }
    }

    /// `/sys/bus/i2c/devices` holds adapters (`i2c-1`) and their clients (`1-0050`).
    private static func adapters(_ root: HostRoot) -> [PeripheralController] {
        let folder = "sys/bus/i2c/devices"
        let names = root.namesIfPresent(folder)
        return names.filter { $0.hasPrefix("i2c-") && Int($0.dropFirst(4)) != nil }.map { name in
            PeripheralController(
                bus: "i2c",
                name: name,
                label: root.fact("\(folder)/\(name)/name"),
                devices: names.filter { $0.hasPrefix("\(name.dropFirst(4))-") }
            )
        }
    }

    /// `/sys/class/spi_master`; devices are `spi0.0` on `/sys/bus/spi`.
    private static func controllers(_ root: HostRoot) -> [PeripheralController] {
        let folder = "sys/class/spi_master"
        let names = root.namesIfPresent(folder)
        let devices = names.isEmpty ? [] : root.namesIfPresent("sys/bus/spi/devices")
        return names.map { name in
            PeripheralController(
                bus: "spi",
                name: name,
                label: owner("\(folder)/\(name)", root),
                devices: devices.filter { $0.hasPrefix("\(name).") }
            )
        }
    }

    /// The device above it: `…/fe200000.gpio/gpiochip0` belongs to `fe200000.gpio`.
    private static func owner(_ path: String, _ root: HostRoot) -> Fact<String> {
        guard let link = try? root.link(path) else { return .absent("\(path) is no link") }
        let parts = pieces(link, separator: "/").dropLast()
        // `spi_master` only groups devices.
        let owner = parts.last { $0 != "spi_master" && $0 != "gpio" && $0 != ".." }
        return owner.map { .known($0) } ?? .absent("\(path) leads to no device")
    }
}
