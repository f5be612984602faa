internal import FootingCommands
internal import FootingSystem
internal import Glibc

/// The `footing-kubevirt` program, which `footing kubevirt` goes on as.
public enum KubeVirtProgram {
    /// Runs the process's own command line and ends the process.
    ///
    /// By the name `onDefineDomain` or `preCloudInitIso`, as a link to it, it is that hook.
    public static func main() -> Never {
        let program = ProcessArguments.all.first ?? ""
        let name = program.split(separator: "/").last.map(String.init) ?? ""
        if let hook = HookProgram.Hook(rawValue: name) {
            let words = Array(ProcessArguments.bytes.dropFirst())
            exit(HookProgram.run(hook, words, console: .standard()))
        }
        FootingProgram.main(KubeVirtCommand.declaration(name: KubeVirtCommand.name(of: program)))
    }
}

/// `footing kubevirt`: every command has a line here and a file of its own.
enum KubeVirtCommand {
    /// What the program calls itself: as it was asked for.
    static func name(of program: String) -> String {
        program == NeighbourProgram.kubeVirtName ? program : "footing-kubevirt"
    }

    static func declaration(name: String) -> Command {
        Command(
            name: name,
            overview: "KubeVirt's virtual machines on the hypervisor that their node has.",
            subcommands: [
                GatesCommand.declaration,
                DefineDomainCommand.declaration,
                ConvertCommand.declaration,
                PreflightCommand.declaration,
                NodeCommand.declaration,
                PluginCommand.declaration,
                ConditionCommand.declaration,
                MetricsCommand.declaration,
                CompletionsCommand.declaration { declaration(name: "footing-kubevirt") },
            ]
        )
    }
}
