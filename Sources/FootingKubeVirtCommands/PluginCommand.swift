internal import FootingCommands
internal import FootingKubeVirt

/// `footing kubevirt plugin`: the change as a resource of KubeVirt's plugins.
enum PluginCommand {
    static let name = Option(
        "name",
        .text,
        default: "footing-hyperv-l1vh",
        help: "What the resource is called; plugins run in the order of their names."
    )
    static let all = Flag(
        "all",
        help: "For every virtual machine, not only those with the label footing/hypervisor=mshv."
    )

    static let declaration = Command(
        name: "plugin",
        overview:
            "Print a plugin for KubeVirt 1.9 and later that makes the change without a sidecar.",
        discussion: """
            An expression in a plugin knows the virtual machine, not its node: whatever it is \
            meant for must run where /dev/mshv is, and get it. With --kubevirt it is printed only \
            if the gates HyperVL1VH and Plugins are on, else the status is 1. With --strict a \
            failure of the plugin fails the virtual machine.
            """,
        parameters: [
            name.model, all.model, Inputs.kubevirt.model, Inputs.strict.model,
        ],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let plugin = PluginResource(
            name: input[name],
            isForAll: input[all],
            isStrict: input[Inputs.strict]
        )
        guard let plugin else {
            throw CommandError(
                usage: "--name is no name in Kubernetes: '\(input[name])'; use a-z, 0-9, - and ."
            )
        }
        if let cluster = try Inputs.cluster(input[Inputs.kubevirt]) {
            for gate in ["HyperVL1VH", "Plugins"] where !cluster.gates.verdict(gate).isOn {
                let verdict = cluster.gates.verdict(gate)
                throw CommandError("the gate \(gate) is \(verdict.explanation): no plugin")
            }
        }
        console.write(plugin.yaml)
    }
}
