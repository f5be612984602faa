/// The profiles that the program brings along: a table, read by the same code as a file's lines.
public enum BuiltInProfiles {
    /// A built-in profile by its name.
    public static func named(_ name: String) -> TuningProfile? {
        all.first { $0.name.utf8.elementsEqual(name.utf8) }
    }

    /// Every one, those for whole machines first.
    public static let all: [TuningProfile] = table.map { name, lines in
        var profile = TuningProfile(name: name, base: nil)
        for (field, value) in lines {
            do throws(ProfileError) {
                try profile.set(field, value)
            } catch {
                preconditionFailure("the built-in profile \(name): \(error)")
            }
        }
        return profile
    }

    private static let table: [(name: String, lines: [(String, String)])] = [
        (
            "hosted-vm",
            [
                ("description", "A virtual machine with emulated disks"),
                ("gather-threshold", "500us"), ("rules", "data-journal file-data-journal"),
            ]
        ),
        (
            "hypervisor",
            [
                ("description", "A virtual machine with paravirtual devices or a balloon"),
                ("rules", "data-journal file-data-journal nvme-scheduler-none"),
            ]
        ),
        (
            "bare-metal",
            [
                ("description", "The hardware itself"),
                ("rules", "data-journal file-data-journal nvme-scheduler-none"),
            ]
        ),
        (
            "bare-metal-nvme",
            [
                ("description", "The hardware itself, with an NVMe namespace that nothing uses"),
                ("checkpoint-log", "256M"),
                ("rules", "data-journal file-data-journal nvme-scheduler-none"),
            ]
        ),
        (
            "hyperscale-cloud",
            [
                ("description", "A machine of a public cloud"), ("gather-threshold", "500us"),
                (
                    "rules",
                    "data-journal file-data-journal ebs-timeout ebs-timeout-at-boot "
                        + "nvme-scheduler-none"
                ),
            ]
        ),
        ("edge-raspberry-pi", raspberryPi),
        ("edge-industrial-gateway", gateway),
        ("edge-generic", generic),
        ("edge-builder", builder),
    ]

    private static let edge = [
        ("unflushed-bytes", "4M"), ("checkpoint-log", "32M"), ("read-workers", "2"),
        // Flash cards wear by bytes, and not by commits.
        ("segment-size", "4M"), ("hosted-optimizer", "off"),
        ("rules", "data-journal file-data-journal"),
    ]

    private static let raspberryPi =
        edge + [
            ("description", "A Raspberry Pi with 256 MiB for Footing"),
            ("memory-budget", "40M"), ("memory-ceiling", "256M"), ("connections", "10"),
            ("bandwidth", "10M"), ("features", "compression encryption snapshots"),
        ]

    private static let gateway =
        edge + [
            ("description", "An industrial gateway with 1 GiB for Footing"),
            ("memory-budget", "256M"), ("memory-ceiling", "1G"), ("connections", "100"),
            ("bandwidth", "50M"),
        ]

    private static let generic =
        edge + [
            ("description", "A board with 512 MiB for Footing"),
            ("memory-budget", "96M"), ("memory-ceiling", "512M"), ("connections", "25"),
            ("bandwidth", "20M"),
        ]

    private static let builder =
        edge + [
            ("description", "A board of one's own: a start for 'footing profile create --base'"),
            ("segment-size", "auto"),
        ]
}
