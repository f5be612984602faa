/// The program as a whole: every command has a line here and a file beside this one.
enum RootCommand {
    static let declaration = Command(
        name: "footing",
        overview: "A crash-safe virtual disk that knows the ground it stands on.",
        subcommands: [
            DetectCommand.declaration,
            RecordCommand.declaration,
            CapabilitiesCommand.declaration,
            DiskCommand.declaration,
            ServeCommand.declaration,
            StatusCommand.declaration,
            ProfileCommand.declaration,
            PlanCommand.declaration,
            ApplyCommand.declaration,
            RollbackCommand.declaration,
            ProveCommand.declaration,
            BenchCommand.declaration,
            PlacementCommand.declaration,
            AcceleratorsCommand.declaration,
            NeighbourProgram.kubeVirt,
            CompletionsCommand.declaration,
        ]
    )
}

/// Parameters that several commands share, so that they mean the same everywhere.
package enum SharedParameters {
    package static let json = Flag("json", help: "Print JSON with sorted keys.")
}
