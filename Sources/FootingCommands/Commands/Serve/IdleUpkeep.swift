internal import FootingDeployment
internal import FootingDisk
internal import FootingTuning

/// Whether a disk keeps itself in order while clients leave it alone.
enum IdleUpkeep: String, Sendable, CaseIterable {
    /// As the place has it.
    case auto
    case on
    case off

    static let option = Option(
        "idle-upkeep",
        .choice(),
        default: IdleUpkeep.auto,
        help: """
            While clients leave the disk alone, write anew in order what is scattered and was read \
            as a whole twice, and give back to the host what was trimmed; auto is on but at the \
            edge, where every write wears the flash.
            """
    )

    /// What the engine is told.
    ///
    /// - Parameter profile: the one that was asked for; nil for the place's own.
    func options(_ detection: Detection, _ profile: TuningProfile?) -> UpkeepOptions {
        let isEdge =
            detection.context.kind == .edge || profile?.name.hasPrefix("edge-") == true
        let isOn = self == .on || (self == .auto && !isEdge)
        var options = UpkeepOptions()
        options.rearranges = isOn
        options.returnsTrimmedSpace = isOn
        return options
    }
}
