internal import FootingCommands
internal import FootingKubeVirt
internal import FootingSystem

/// `footing kubevirt node`: what a node offers to virtual machines.
enum NodeCommand {
    static let declaration = Command(
        name: "node",
        overview: "Tell which hypervisors a node has, and which labels say so.",
        discussion: """
            With --kubevirt also what a virtual machine without wishes of its own runs on here. \
            Nothing is changed: 'kubectl label node' takes the labels.
            """,
        parameters: [Inputs.kubevirt.model, Inputs.root.model, SharedParameters.json.model],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let report = NodeReport(root: try Inputs.machine(input[Inputs.root]))
        let cluster = try Inputs.cluster(input[Inputs.kubevirt])
        var selection: Selection?
        var refusal: Selection.Refusal?
        if let cluster {
            do throws(Selection.Refusal) {
                selection = try report.selection(
                    cluster.wish,
                    allowsEmulation: cluster.allowsEmulation
                )
            } catch {
                refusal = error
            }
        }
        if input[SharedParameters.json] {
            var document = JSONObject()
            if case .object(let members) = report.json { document = members }
            if let selection {
                document["selection"] = [
                    "hypervisor": .string(selection.hypervisor.rawValue),
                    "domainType": .string(selection.hypervisor.domainType),
                    "reason": .string(selection.reason.rawValue),
                    "explanation": .string(selection.explanation),
                ]
            }
            if let refusal { document["selection"] = ["error": .string(refusal.description)] }
            console.print(.object(document))
            return
        }
        var text = "/dev/mshv \(report.mshv.explanation)\n/dev/kvm \(report.kvm.explanation)\n"
        if let kernel = report.kernel { text += "kernel \(kernel)\n" }
        if !report.modules.isEmpty {
            text += "modules \(report.modules.joined(separator: ", "))\n"
        }
        if report.partition != .none { text += "partition \(report.partition.rawValue)\n" }
        if report.capabilities != nil {
            text +=
                "on mshv: domain type hyperv, at most \(Preflight.processorsMaximum) processors, "
                + "models host-passthrough and maximum, no live migration, not confidential\n"
        }
        for label in report.labels { text += "label \(label.name)=\(label.value)\n" }
        if let selection {
            text +=
                "a virtual machine runs on \(selection.hypervisor.rawValue)"
                + " (domain type \(selection.hypervisor.domainType)): \(selection.explanation)\n"
        }
        if let refusal { text += "a virtual machine does not run: \(refusal)\n" }
        console.write(TerminalText.harmless(text))
    }
}
