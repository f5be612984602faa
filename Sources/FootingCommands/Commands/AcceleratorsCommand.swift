internal import FootingAcceleration
internal import FootingHost
internal import FootingSystem

/// `footing accelerators`: who compresses and encrypts on this machine, and how fast.
enum AcceleratorsCommand {
    static let bench = Flag("bench", help: "Measure beside the bare libraries, for some seconds.")
    static let state = Option(
        optional: "state",
        .directory,
        help: "Where figures are remembered; by default FOOTING_STATE_DIR or /var/lib/footing."
    )

    static let declaration = Command(
        name: "accelerators",
        overview: "Show who compresses and encrypts on this machine, and how fast.",
        discussion: """
            Measures each implementation once for each model of processor, in about a third of a \
            second, and remembers the figures. They are for one thread.

            FOOTING_CIPHER=libcrypto in the environment lets nothing else encrypt, here and in \
            every other command.
            """,
        parameters: [
            bench.model, state.model, QATOptions.use.model, QATOptions.encrypts.model,
            SharedParameters.json.model,
        ],
        run: run
    )

    /// The figures, and where they come from.
    struct Figures {
        var table: SpeedTable
        var isRemembered: Bool
        /// The file that keeps them; nil where none does, with the reason.
        var path: String?
        var reason = ""
    }

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let root: HostRoot
        do throws(Errno) {
            root = try HostRoot()
        } catch {
            throw CommandError("cannot open", "/", error)
        }
        let software = SoftwareAccelerator()
        let device = QATOptions.device(input, root: root, software: software)
        defer { device.accelerator.close() }
        let processor = processorModel(root)
        // What is asked for reading only cannot make what it would read.
        let others: [any Accelerator] =
            device.use == .all && device.accelerator.isAvailable ? [device.accelerator] : []
        let tiers: [any Accelerator] = [software] + others
        let circumstances = SpeedCircumstances(processor: processor, names: tiers.map(\.name))
        let figures = try figures(tiers, circumstances, folder: input[state] ?? StateFolder.user())
        let registry = AcceleratorRegistry(
            software: software,
            others: others,
            speeds: figures.table
        )
        let comparisons = input[bench] ? try compare(tiers[0], console) : []
        let view = AcceleratorsView(
            circumstances: circumstances,
            device: device,
            figures: figures,
            registry: registry,
            comparisons: comparisons
        )
        if input[SharedParameters.json] {
            console.print(view.json)
        } else {
            console.write(TerminalText.harmless(view.text))
        }
    }

    private static func processorModel(_ root: HostRoot) -> String {
        HostReport.gather(root: root).hardware.processor.model.value ?? "unknown"
    }

    /// What is remembered; else measured now, and remembered where that is possible.
    private static func figures(
        _ tiers: [any Accelerator],
        _ circumstances: SpeedCircumstances,
        folder: String?
    ) throws(CommandError) -> Figures {
        let memory = folder.map { SpeedMemory(folder: $0) }
        if let memory, let table = memory.load(circumstances) {
            return Figures(table: table, isRemembered: true, path: memory.path)
        }
        var figures = Figures(table: SpeedTable(), isRemembered: false)
        do throws(AccelerationError) {
            for tier in tiers { try SpeedTrial(tier).measure(into: &figures.table) }
        } catch {
            throw CommandError("cannot measure", "software", error.description)
        }
        guard let folder, let memory else {
            figures.reason = "no state folder is known: set FOOTING_STATE_DIR"
            return figures
        }
        do throws(Errno) {
            try PrivateFolder.createWithParents(folder)
            try memory.save(figures.table, circumstances)
            figures.path = memory.path
        } catch {
            figures.reason = "\(memory.path): \(error)"
        }
        return figures
    }

    private static func compare(
        _ tier: any Accelerator,
        _ console: Console
    ) throws(CommandError) -> [SpeedTrial.Comparison] {
        var comparisons: [SpeedTrial.Comparison] = []
        do throws(AccelerationError) {
            let trial = try SpeedTrial(tier)
            for operation in AccelerationOperation.allCases {
                for size in SpeedTable.blockSizes {
                    comparisons.append(try trial.compare(operation, blockBytes: size))
                }
            }
        } catch {
            throw CommandError("cannot measure", tier.name, error.description)
        }
        return comparisons
    }
}

/// What the command shows.
struct AcceleratorsView {
    let circumstances: SpeedCircumstances
    let device: QATOptions.Device
    let figures: AcceleratorsCommand.Figures
    let registry: AcceleratorRegistry
    let comparisons: [SpeedTrial.Comparison]

    var text: String {
        var text = "processor  \(circumstances.processor)\n"
        text += "libraries  \(circumstances.libraries.joined(separator: ", "))\n"
        let origin = figures.isRemembered ? "remembered in" : "measured now, kept in"
        text += "figures    "
        text += figures.path.map { "\(origin) \($0)\n" } ?? "not kept: \(figures.reason)\n"
        text += "QAT        \(device.text)\n"
        text += "\n" + table
        if !comparisons.isEmpty { text += "\n" + bench }
        return text
    }

    /// The speed of who does an operation, for each size of block.
    private var table: String {
        var table = TextTable(
            [("operation", .left), ("done by", .left)]
                + SpeedTable.blockSizes.map { (ByteSize.text(UInt64($0)), .right) }
        )
        for operation in AccelerationOperation.allCases {
            let name = registry.preferred(for: operation).name
            let speeds = SpeedTable.blockSizes.map {
                Self.speed(figures.table[name, operation, $0])
            }
            table.add([operation.name, name] + speeds)
        }
        return table.text()
    }

    private var bench: String {
        var table = TextTable([
            ("operation", .left), ("block", .right), ("here", .right), ("bare library", .right),
            ("ratio", .right),
        ])
        for line in comparisons {
            table.add([
                line.operation.name, ByteSize.text(UInt64(line.blockBytes)),
                Self.speed(line.bytesPerSecond), Self.speed(line.bareBytesPerSecond),
                Self.hundredths(line.ratio),
            ])
        }
        return table.text()
    }

    private static func speed(_ bytes: UInt64?) -> String {
        bytes.map { ByteSize.text($0) + "/s" } ?? "-"
    }

    private static func hundredths(_ ratio: Double) -> String {
        let value = Int((ratio * 100).rounded())
        let rest = value % 100
        return "\(value / 100).\(rest < 10 ? "0" : "")\(rest)"
    }

    var json: JSONValue {
        let operations: [JSONValue] = AccelerationOperation.allCases.map { operation in
            [
                "name": .string(operation.name),
                "preferred": .string(registry.preferred(for: operation).name),
                "implementations": .array(
                    registry.implementations(of: operation).map { .string($0.name) }
                ),
            ]
        }
        return [
            "schema": "footing.accelerators/1",
            "processor": .string(circumstances.processor),
            "libraries": .array(circumstances.libraries.map { .string($0) }),
            "operations": .array(operations),
            "qat": device.json,
            "bytesPerSecond": figures.table.json,
            "isRemembered": .bool(figures.isRemembered),
            "stateFile": figures.path.map { .string($0) } ?? .null,
            "bench": .array(comparisons.map(Self.json)),
        ]
    }

    private static func json(_ line: SpeedTrial.Comparison) -> JSONValue {
        [
            "name": .string(line.operation.name),
            "blockBytes": JSONValue(UInt64(line.blockBytes)),
            "bytesPerSecond": JSONValue(line.bytesPerSecond),
            "bareBytesPerSecond": JSONValue(line.bareBytesPerSecond),
            "ratio": .number(line.ratio),
        ]
    }
}
