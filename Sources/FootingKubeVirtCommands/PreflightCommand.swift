internal import FootingCommands
internal import FootingKubeVirt
internal import FootingSystem

/// `footing kubevirt preflight`: what would keep a virtual machine from the Microsoft hypervisor.
enum PreflightCommand {
    static let machine = Argument(
        "vmi",
        .file,
        help: "A VirtualMachineInstance or VirtualMachine, in YAML or JSON; - for standard input."
    )
    static let libvirt = Option(
        optional: "libvirt",
        .text,
        placeholder: "version",
        help: "The version of libvirt in virt-launcher's image, such as 11.10.0."
    )
    static let qemu = Option(
        optional: "qemu",
        .text,
        placeholder: "version",
        help: "The version of QEMU in virt-launcher's image."
    )

    static let declaration = Command(
        name: "preflight",
        overview: "Tell what would keep a virtual machine from the Microsoft hypervisor.",
        discussion: """
            What is found is a warning: the status is 0. With --strict it is 1 if anything is \
            found. What KubeVirt fills in counts: its own defaults, or with --kubevirt those of \
            that one.
            """,
        parameters: [
            machine.model, Inputs.kubevirt.model, libvirt.model, qemu.model, Inputs.strict.model,
            SharedParameters.json.model,
        ],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        try Inputs.checkOneStandardInput(
            [input[machine], input[Inputs.kubevirt]],
            "the manifest and --kubevirt"
        )
        let cluster = try Inputs.cluster(input[Inputs.kubevirt])
        let facts = try Inputs.parsed(input[machine]) { bytes throws(ManifestError) in
            try VirtualMachineFacts(parsing: bytes)
        }
        var findings = Preflight.findings(
            for: facts,
            isAssigned: cluster?.settings.assignsDevice ?? false,
            defaults: cluster ?? ClusterConfiguration()
        )
        findings += Preflight.findings(
            libvirt: try version(input[libvirt], "libvirt"),
            qemu: try version(input[qemu], "qemu")
        )
        findings += TuningRequest.read(facts.annotations).findings
        if input[SharedParameters.json] {
            console.print([
                "schema": "footing.kubevirt-preflight/1",
                "vmi": .string(facts.fullName),
                "findings": .array(findings.map(\.json)),
            ])
        } else {
            console.write(TerminalText.harmless(Inputs.text(findings)))
        }
        if input[Inputs.strict], !findings.isEmpty { throw .answerIsNo }
    }

    private static func version(
        _ text: String?,
        _ name: String
    ) throws(CommandError) -> Preflight.Version? {
        guard let text else { return nil }
        guard let version = Preflight.Version(text) else {
            throw CommandError(
                usage: "--\(name) is no version: '\(text)'; write one such as 11.10.0"
            )
        }
        return version
    }
}
