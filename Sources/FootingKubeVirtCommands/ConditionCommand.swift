internal import FootingCommands
internal import FootingKubeVirt
internal import FootingSystem

/// `footing kubevirt condition`: a decision as a condition of the virtual machine.
enum ConditionCommand {
    static let machine = Option(
        optional: "vmi",
        .file,
        help: "The VirtualMachineInstance as it is now, so that a condition there is replaced."
    )

    static let declaration = Command(
        name: "condition",
        overview: "Print the last decision in a log as a patch of the virtual machine's status.",
        discussion: """
            For 'kubectl patch vmi NAME --subresource=status --type=json --patch-file=/dev/stdin'. \
            An empty patch says that the condition is there already.
            """,
        parameters: [Inputs.log.model, machine.model],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        if input[Inputs.log] == "-", input[machine] == "-" {
            throw CommandError(usage: "only one of the log and --vmi can be standard input")
        }
        guard let record = try Inputs.records(input[Inputs.log]).last else {
            throw CommandError("there is no decision of the hook in", input[Inputs.log], "no line")
        }
        let patch: JSONValue
        if let path = input[machine] {
            patch = try Inputs.parsed(path) { bytes throws(ManifestError) in
                try HypervisorCondition.patch(record, manifest: bytes)
            }
        } else {
            do throws(ManifestError) {
                patch = try HypervisorCondition.patch(record, manifest: nil)
            } catch {
                throw CommandError(error.description)
            }
        }
        console.print(patch)
    }
}

/// `footing kubevirt metrics`: the decisions as a metric.
enum MetricsCommand {
    static let declaration = Command(
        name: "metrics",
        overview: "Print the decisions in a log as the OpenMetrics kubevirt_vmi_hypervisor_type.",
        discussion: "Of several decisions about one virtual machine the last counts.",
        parameters: [Inputs.log.model],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        console.write(HypervisorMetric.text(try Inputs.records(input[Inputs.log])))
    }
}
