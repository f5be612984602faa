internal import FootingCommands
internal import FootingKubeVirt
internal import FootingSystem

/// `footing kubevirt gates`: which feature gates a cluster has on, and by which rule.
enum GatesCommand {
    static let resource = Argument(
        "kubevirt",
        .file,
        help: "The KubeVirt resource, in YAML or JSON; - for standard input."
    )
    static let names = Argument(
        repeating: "gate",
        .text,
        help: "Only these; ends with 1 unless all are on."
    )
    static let all = Flag("all", help: "Show every gate of KubeVirt 1.9.")

    static let declaration = Command(
        name: "gates",
        overview: "Tell which feature gates a cluster has on, and which rule says so.",
        discussion: """
            The rules are KubeVirt's: generally available, then listed in featureGates, then \
            listed in disabledFeatureGates, then beta, else off. Without --all: the gates that \
            Footing looks at, and those that the resource names.
            """,
        parameters: [resource.model, names.model, all.model, SharedParameters.json.model],
        run: run
    )

    private static let ours = ["HyperVL1VH", "ConfigurableHypervisor", "Sidecar", "Plugins"]

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let cluster = try Inputs.parsed(input[resource]) { bytes throws(ManifestError) in
            try ClusterConfiguration(parsing: bytes)
        }
        let asked = input[names]
        var shown = asked
        if asked.isEmpty {
            let every = input[all] ? FeatureGate.all.map(\.name) : ours
            var seen: Set<String> = []
            for name in every + cluster.gates.listed + cluster.gates.disabled
            where seen.insert(name).inserted { shown.append(name) }
        }
        if input[SharedParameters.json] {
            console.print([
                "schema": "footing.kubevirt-gates/1",
                "gates": .array(shown.map { json($0, cluster.gates) }),
                "hypervisor": cluster.hypervisor.map { .string($0) } ?? .null,
                "allowsEmulation": .bool(cluster.allowsEmulation),
                "wish": .string(word(cluster.wish)),
            ])
        } else {
            var table = TextTable(alignments: [.left, .left, .left])
            for name in shown {
                let verdict = cluster.gates.verdict(name)
                let stage = FeatureGate.named(name)?.stage.rawValue ?? "-"
                table.add([name, stage, verdict.explanation])
            }
            console.write(TerminalText.harmless(table.text()))
        }
        if asked.contains(where: { !cluster.gates.verdict($0).isOn }) { throw .answerIsNo }
    }

    private static func json(_ name: String, _ gates: FeatureGates) -> JSONValue {
        let verdict = gates.verdict(name)
        return [
            "name": .string(name),
            "stage": (FeatureGate.named(name)?.stage.rawValue).map { .string($0) } ?? .null,
            "on": .bool(verdict.isOn),
            "rule": .string(verdict.rule.rawValue),
        ]
    }

    static func word(_ wish: HypervisorWish) -> String {
        switch wish {
        case .kernel: "kvm"
        case .hyperVDirect: "hyperv-direct"
        case .transparent: "transparent"
        }
    }
}
