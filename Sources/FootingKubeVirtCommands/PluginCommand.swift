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

    static let form = Option(
        optional: "form",
        .choice(of: PluginResource.Form.self),
        help: """
            Which fields the cluster's KubeVirt has, as 'kubectl explain plugin.spec' tells; \
            domainHooks, those of \(PluginResource.knownVersion), by default.
            """
    )

    static let declaration = Command(
        name: "plugin",
        overview:
            "Print a plugin for KubeVirt 1.9 and later that makes the change without a sidecar.",
        discussion: """
            An expression in a plugin knows the virtual machine, not its node: whatever it is \
            meant for must run where /dev/mshv is, and have the device among its limits, unless \
            the annotation footing/device-resource of the KubeVirt resource says that every pod \
            gets it. With --kubevirt it is printed only if the gates HyperVL1VH and Plugins are \
            on, and the status tells no version but that whose fields are known, unless --form \
            says which it has; else the status is 1. With --strict a failure of the change fails \
            the virtual machine.
            """,
        parameters: [
            name.model, all.model, form.model, Inputs.kubevirt.model, Inputs.strict.model,
        ],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let cluster = try Inputs.cluster(input[Inputs.kubevirt])
        let plugin = PluginResource(
            name: input[name],
            form: input[form] ?? .domainHooks,
            isForAll: input[all],
            isStrict: input[Inputs.strict],
            needsDevice: cluster?.settings.assignsDevice != true
        )
        guard let plugin else {
            throw CommandError(
                usage: "--name is no name in Kubernetes: '\(input[name])'; use a-z, 0-9, - and ."
            )
        }
        if let cluster {
            for gate in ["HyperVL1VH", "Plugins"] where !cluster.gates.verdict(gate).isOn {
                let verdict = cluster.gates.verdict(gate)
                throw CommandError("the gate \(gate) is \(verdict.explanation): no plugin")
            }
        }
        if let version = cluster?.version, input[form] == nil {
            guard version == PluginResource.knownVersion else {
                throw CommandError(
                    "the fields of a plugin in KubeVirt \(version) are not known: say --form"
                )
            }
        }
        console.write(plugin.yaml)
    }
}
