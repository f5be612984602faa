internal import FootingCommands
internal import FootingSystem

/// The `footing-kubevirt` program, which `footing kubevirt` goes on as.
public enum KubeVirtProgram {
    /// Runs the process's own command line and ends the process.
    public static func main() -> Never {
        FootingProgram.main(KubeVirtCommand.declaration)
    }
}

/// `footing kubevirt`: every command has a line here and a file of its own.
enum KubeVirtCommand {
    static let declaration = Command(
        name: "footing-kubevirt",
        overview: "KubeVirt's virtual machines on the hypervisor that the node has.",
        subcommands: []
    )
}
