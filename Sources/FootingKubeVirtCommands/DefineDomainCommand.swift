internal import FootingCommands
internal import FootingKubeVirt
internal import FootingSystem

/// `footing kubevirt define-domain`: the hook `onDefineDomain`, for people and for tests.
enum DefineDomainCommand {
    static let machine = Option(
        optional: "vmi",
        .text,
        placeholder: "json",
        help: "The VirtualMachineInstance: itself, @FILE, or - for standard input."
    )
    static let domain = Option(
        "domain",
        .text,
        placeholder: "xml",
        help: "The domain: itself, @FILE, or - for standard input."
    )

    static let declaration = Command(
        name: "define-domain",
        overview: "Choose the hypervisor of a domain, and tune its disks.",
        discussion: """
            Prints the domain: byte for byte as it came, unless the gate HyperVL1VH is on and \
            /dev/mshv is there, or the virtual machine's annotations ask for more; and one line of \
            JSON with the decision on standard error. Whatever goes wrong, the domain is handed on \
            as it came; with --strict, or where /etc/footing/strict is, that and every finding \
            ends with 1 and no domain. Without --kubevirt the resource is looked for in \
            /etc/footing/kubevirt.yaml.

            KubeVirt's sidecar shim runs the same as onDefineDomain, a link to the program \
            footing-kubevirt.
            """,
        parameters: [
            machine.model, domain.model, Inputs.kubevirt.model, Inputs.root.model,
            Inputs.strict.model,
        ],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        try Inputs.checkOneStandardInput(
            [input[machine], input[domain], input[Inputs.kubevirt]].map { $0 == "@-" ? "-" : $0 },
            "--vmi, --domain and --kubevirt"
        )
        let root = try Inputs.machine(input[Inputs.root])
        let isStrict = input[Inputs.strict] || root.exists(HookProgram.strictPath)
        var cluster: ClusterConfiguration?
        var findings: [Finding] = []
        if let path = input[Inputs.kubevirt] {
            cluster = try Inputs.cluster(path)
        } else {
            (cluster, findings) = HookProgram.cluster(
                at: HookProgram.resourcePath,
                root: root,
                isNeeded: isStrict
            )
        }
        let manifest: [UInt8]?
        if let text = input[machine] { manifest = try content(text) } else { manifest = nil }
        let hook = DomainHook(
            cluster: cluster,
            isStrict: isStrict,
            findings: findings,
            root: root
        )
        let outcome = hook.run(manifest: manifest, domain: try content(input[domain]))
        if let domain = outcome.domain { console.write(bytes: domain) }
        console.writeError(outcome.record.line + "\n")
        if outcome.domain == nil { throw .answerIsNo }
    }

    private static func content(_ text: String) throws(CommandError) -> [UInt8] {
        if text == "-" { return try Inputs.bytes("-") }
        if text.hasPrefix("@") { return try Inputs.bytes(String(text.dropFirst())) }
        // As the kernel gave it: a text that is no UTF-8 was repaired on its way here.
        let name = Array("=".utf8)
        for word in ProcessArguments.bytes {
            if String(decoding: word, as: UTF8.self) == text { return word }
            guard let sign = word.firstIndex(of: name[0]) else { continue }
            let rest = word[(sign + 1)...]
            if String(decoding: rest, as: UTF8.self) == text { return Array(rest) }
        }
        return Array(text.utf8)
    }
}
