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
            For 'kubectl patch vmi NAME --type=json --patch-file=/dev/stdin \
            --as=system:serviceaccount:kubevirt:kubevirt-controller': KubeVirt undoes what anyone \
            but its own accounts changes of a status, without a word. An empty patch says that the \
            condition is there already. With --vmi the last decision about that virtual machine \
            counts, and there must be one; without it, the log must be of one virtual machine alone.
            """,
        parameters: [Inputs.log.model, machine.model],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        try Inputs.checkOneStandardInput(
            [input[Inputs.log], input[machine]],
            "the log and --vmi"
        )
        let records = try Inputs.records(input[Inputs.log])
        guard let last = records.last else {
            throw CommandError("there is no decision of the hook in", input[Inputs.log], "no line")
        }
        let patch: JSONValue
        if let path = input[machine] {
            let bytes = try Inputs.bytes(path)
            let found: JSONValue?
            let name: String
            do throws(ManifestError) {
                let facts = try VirtualMachineFacts(parsing: bytes)
                let record = records.last {
                    $0.namespace == facts.namespace && $0.name == facts.name
                }
                name = facts.fullName
                if let record {
                    found = try HypervisorCondition.patch(record, manifest: bytes)
                } else {
                    found = nil
                }
            } catch {
                throw CommandError("cannot use", path, error.description)
            }
            guard let found else {
                let text = "there is no decision about \(name) in"
                throw CommandError(text, input[Inputs.log], "others only")
            }
            patch = found
        } else if records.contains(where: { $0.fullName != last.fullName }) {
            throw CommandError(usage: "the log has several virtual machines: say which by --vmi")
        } else {
            do throws(ManifestError) {
                patch = try HypervisorCondition.patch(last, manifest: nil)
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
