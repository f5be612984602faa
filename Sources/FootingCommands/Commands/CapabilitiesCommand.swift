internal import FootingHost
internal import FootingSystem

/// `footing capabilities`: what this machine can do, and what proves it.
enum CapabilitiesCommand {
    static let names = Argument(
        repeating: "name",
        .text,
        help: "Only these; ends with 1 unless all are there."
    )

    static let declaration = Command(
        name: "capabilities",
        overview: "Tell what this machine can do, and what proves it.",
        discussion: "With names it answers for scripts: status 0 if all are there, 1 if not.",
        parameters: [
            names.model, DetectCommand.root.model, DetectCommand.recording.model,
            SharedParameters.json.model,
        ],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let host = try MachineOption.machine(input).root
        let report = HostReport.gather(root: host)
        let registry = CapabilityRegistry.gather(root: host, report: report)
        let asked = input[names]
        let shown = asked.isEmpty ? registry.all : asked.map { registry[$0] }
        if input[SharedParameters.json] {
            console.print([
                "schema": "footing.capabilities/1",
                "root": .string(host.path),
                "capabilities": .array(shown.map(\.json)),
            ])
        } else {
            console.write(TerminalText.harmless(text(shown)))
        }
        guard !asked.isEmpty, let missing = shown.first(where: { !$0.isPresent }) else { return }
        guard case .absent(let reason) = missing.state else { return }
        throw CommandError("this machine cannot do", missing.name, reason)
    }

    /// A line for each: `yes` or `no`, and the evidence or the reason.
    private static func text(_ capabilities: [Capability]) -> String {
        var table = TextTable(alignments: [.left, .left, .left])
        for capability in capabilities {
            switch capability.state {
            case .absent(let reason): table.add([capability.name, "no", reason])
            case .present(let evidence):
                for (index, item) in evidence.enumerated() {
                    let value = item.value.isEmpty ? "" : " \"\(item.value)\""
                    table.add([
                        index == 0 ? capability.name : "",
                        index == 0 ? "yes" : "",
                        "\(item.source)\(value): \(item.says)",
                    ])
                }
            }
        }
        return table.text()
    }
}
