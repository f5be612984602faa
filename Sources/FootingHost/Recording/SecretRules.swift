/// What a recording keeps of a file whose secrets do not show by their form.
enum SecretRule: Sendable {
    /// The whole content is a secret; of some texts a part names a cloud and stays.
    case secret
    /// A name of the machine: a secret that may also be an ordinary word.
    case hostName
    /// A secret that is no text.
    case binary
    /// Every UUID in it is a well-known one, the same on all machines.
    case open
    /// Values of the lines whose name ends so are secret; the sign is what ends the name.
    case values(of: [String], after: UInt8)
    /// The same; and of IBM Z's `version = FF, identification = 0123AB` the number is secret.
    case processors
    /// A secret behind words that tell what it is for.
    case labelled([String])
    /// Only lines that begin so are kept.
    case lines(beginning: [String])
    /// Words between blanks, of which those that begin so are kept, up to a semicolon.
    case words(beginning: [String])
    /// Variables between NULs, of which those with these names are kept.
    case variables([String])
    /// A mount table: where network file systems come from is secret.
    case mounts
    /// Structures of the firmware (SMBIOS).
    case firmware
    /// A text of the machine's maker, in which a known secret may still stand.
    case makersText

    /// One line: paths below a folder (or one path), with one of these last components (or any).
    private struct Line: Sendable {
        let folder: String
        let names: Set<String>
        let rule: SecretRule

        init(_ folder: String, _ names: Set<String>, _ rule: SecretRule) {
            self.folder = folder
            self.names = names
            self.rule = rule
        }

        init(_ folder: String, _ rule: SecretRule) {
            self.init(folder, [], rule)
        }
    }

    /// The rule for a path without links; nil: only what has the form of a secret is one.
    static func of(_ path: String) -> SecretRule? {
        let name = lastComponent(path)
        return table.first { line in
            let isBelow = line.folder.hasSuffix("/") || line.folder.isEmpty
            guard isBelow ? path.hasPrefix(line.folder) : path == line.folder else { return false }
            return line.names.isEmpty || line.names.contains(name)
        }?.rule
    }

    private static let maker: Set<String> = [
        "product_serial", "board_serial", "chassis_serial", "product_uuid", "board_asset_tag",
        "chassis_asset_tag",
    ]
    private static let colon = UInt8(ascii: ":")

    /// One line for each kind of file; the first that fits counts.
    private static let table: [Line] = [
        Line("sys/class/dmi/id/", maker, .secret),
        Line("sys/devices/virtual/dmi/id/", maker, .secret),
        Line("sys/class/dmi/id/", .makersText),
        Line("sys/devices/virtual/dmi/id/", .makersText),
        Line("sys/firmware/dmi/tables/smbios_entry_point", .open),
        Line("sys/firmware/dmi/", .firmware),
        Line("sys/firmware/efi/", .open),
        Line("sys/firmware/acpi/", .makersText),
        Line("sys/", ["class_id"], .open),
        Line("sys/", ["modalias", "osrelease"], .makersText),
        Line("sys/devices/virtual/block/", ["uuid"], .labelled(mapperWords)),
        Line("sys/block/", ["uuid"], .labelled(mapperWords)),
        Line("", ["vpd_pg80", "vpd_pg83", "local-mac-address", "mac-address"], .binary),
        Line("sys/firmware/devicetree/", ["serial-number", "system-id"], .secret),
        Line("proc/device-tree/", ["serial-number", "system-id"], .secret),
        Line("sys/firmware/devicetree/", ["ibm,partition-name"], .hostName),
        Line("proc/device-tree/", ["ibm,partition-name"], .hostName),
        Line("", ["bootargs"], .words(beginning: bootWords)),
        Line(
            "sys/",
            [
                "serial", "serial_number", "uuid", "wwid", "wwn", "nguid", "eui", "unique_id",
                "cid", "csd", "node_name", "port_name", "sas_address", "subsysnqn", "hostnqn",
                "hostid", "initiatorname",
            ],
            .secret
        ),
        Line(
            "",
            ["dmidecode", "dmidecode.txt"],
            .values(of: ["Serial Number", "UUID", "Asset Tag"], after: colon)
        ),
        Line("proc/cmdline", .words(beginning: bootWords)),
        Line("proc/", ["cmdline"], .variables([])),
        Line("proc/", ["environ"], .variables(["container", "product_name"])),
        Line("proc/", ["mountinfo", "mounts"], .mounts),
        Line("proc/cpuinfo", .processors),
        Line(
            "proc/sysinfo",
            .values(of: ["Name", "Sequence Code", "Serial", "UUID"], after: colon)
        ),
        Line(
            "proc/ppc64/lparcfg",
            .values(of: ["serial_number", "system_id"], after: UInt8(ascii: "="))
        ),
        Line("proc/version", .makersText),
        Line("proc/sys/kernel/", ["hostname", "domainname"], .hostName),
        Line("proc/sys/kernel/", ["osrelease", "version"], .makersText),
        Line("proc/sys/kernel/random/", .secret),
        Line("etc/hostname", .hostName),
        Line("etc/", ["machine-id"], .secret),
        Line("var/lib/dbus/machine-id", .secret),
        Line("run/udev/data/", .lines(beginning: ["E:ID_FS_TYPE=", "E:ID_PART_TABLE_TYPE="])),
    ]

    /// What device-mapper targets put before their ids, piece by piece.
    private static let mapperWords = [
        "LVM-", "CRYPT-", "LUKS1-", "LUKS2-", "PLAIN-", "VERITY-", "INTEGRITY-", "BITLK-",
        "TCRYPT-", "FVAULT2-", "LOOPAES-", "TEMP-", "SUBDEV-", "mpath-", "DMRAID-", "VDO-",
        "stratis-1-",
    ]

    /// Words of the kernel's command line by which clouds are found.
    private static let bootWords = [
        "ds=", "ci.ds=", "ci.datasource=", "scaleway", "vultr",
        // What a plan would add: settings of drivers.
        "nvme_core.io_timeout=", "nvme.poll_queues=", "vmw_pvscsi.", "hv_storvsc.",
        "xen_blkfront.",
    ]

    /// Files of the running machine that hold its names and ids, whether a detector reads them or
    /// not: what stands there must not stand anywhere else.
    static let identities: [String] =
        [
            "etc/hostname", "proc/sys/kernel/hostname", "proc/sys/kernel/domainname",
            "etc/machine-id", "var/lib/dbus/machine-id", "proc/sys/kernel/random/boot_id",
        ] + maker.sorted().map { "sys/class/dmi/id/\($0)" }

    /// Parts of secrets by which clouds and hypervisors are found; what is beside them is not kept.
    static let keptPrefixes = ["GoogleCloud-", "VMware-", "AWS", "ds=nocloud", "i-"]
    /// The same at the end.
    static let keptSuffixes = [".brightbox.com"]

    /// What the forms of secrets are looked for in, of a path's content or of the path itself.
    static func scope(_ path: String) -> SecretPatterns.Scope {
        let name = lastComponent(path)
        var scope: SecretPatterns.Scope = [.known]
        let isVersion = ["version", "release", "rev"].contains { name.holds($0) }
        if !isVersion && name != "modalias" { scope.insert(.addresses) }
        let named = ["proc/", "run/", "etc/", "dev/", "sys/fs/", "sys/devices/virtual/block/"]
        if named.contains(where: { path.hasPrefix($0) }) { scope.insert(.hostNames) }
        return scope
    }
}
