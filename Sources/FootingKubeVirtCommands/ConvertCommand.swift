internal import FootingCommands
internal import FootingKubeVirt
internal import FootingSystem

/// `footing kubevirt convert`: the libvirt domain of a manifest.
enum ConvertCommand {
    static let manifest = Argument(
        "manifest",
        .file,
        help: "A VirtualMachineInstance or VirtualMachine, in YAML or JSON; - for standard input."
    )
    static let context = Option(
        optional: "context",
        .file,
        help: "What only a cluster knows, in YAML or JSON; see docs/kubevirt/convert.md."
    )
    static let bestEffort = Flag(
        "best-effort",
        help: "Leave out fields that are unknown or not converted, and list them, not fail."
    )
    static let explain = Flag(
        "explain",
        help: "Also list the fields that have no effect on a domain, and why."
    )

    static let declaration = Command(
        name: "convert",
        overview: "Convert a manifest to the libvirt domain that KubeVirt would make of it.",
        discussion: """
            The defaults of KubeVirt's API server are filled in first. The domain goes to standard \
            output, every list to standard error, with the path and the place of each field.
            """,
        parameters: [manifest.model, context.model, bestEffort.model, explain.model],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let path = input[manifest]
        try Inputs.checkOneStandardInput([path, input[context]], "the manifest and --context")
        let bytes = try Inputs.bytes(path)
        let context = try input[context].map { path throws(CommandError) in
            try Inputs.bytes(path)
        }
        let conversion: DomainConversion
        do throws(ConversionError) {
            conversion = try DomainConverter.convert(
                manifest: bytes,
                context: context,
                bestEffort: input[bestEffort]
            )
        } catch {
            throw CommandError("cannot convert", path, error.description)
        }
        for note in conversion.leftOut { console.remark("left out: \(note)") }
        if input[explain] {
            for note in conversion.withoutEffect { console.remark("without effect: \(note)") }
        }
        console.write(conversion.xml)
    }
}
