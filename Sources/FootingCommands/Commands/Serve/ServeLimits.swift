internal import FootingDisk
internal import FootingSystem
internal import FootingTuning

/// What a disk that is served keeps to: what its user asked for, else what the profile says.
struct ServeLimits: Sendable {
    static let bandwidth = Option(
        optional: "bandwidth",
        .byteSize,
        placeholder: "size",
        help: "Bytes a second that all clients have together, reads and writes, from 64K to 1T."
    )
    static let memoryCeiling = Option(
        optional: "memory-ceiling",
        .byteSize,
        help: "What the whole process may take; the disk and its clients are kept within it."
    )
    static let ownGroup = Flag(
        "own-group",
        help: "Set the memory ceiling on a control group of its own, below the present one."
    )

    private static let bandwidths: ClosedRange<UInt64> = (64 << 10)...(1 << 40)
    private static let ceilings: ClosedRange<UInt64> = (32 << 20)...(1 << 44)

    /// The profile that was asked for, with what `--set` changes; nil: none was.
    let profile: TuningProfile?
    /// Clients at a time.
    let connections: Int
    /// Bytes a second; nil: any number.
    let bandwidthBytesPerSecond: UInt64?
    /// What the process may take; nil: no more than the machine allows.
    let memoryCeilingBytes: UInt64?

    /// Puts together what the command line and its profile say.
    init(_ input: Invocation) throws(CommandError) {
        profile = try Self.profile(input)
        let clients = profile?["connections"].number.map { Int(clamping: $0) }
        connections =
            input.isGiven(ServeCommand.connections.model)
            ? input[ServeCommand.connections] : clients ?? input[ServeCommand.connections]
        bandwidthBytesPerSecond = input[Self.bandwidth] ?? profile?["bandwidth"].number
        memoryCeilingBytes = input[Self.memoryCeiling] ?? profile?["memory-ceiling"].number
        if let rate = bandwidthBytesPerSecond, !Self.bandwidths.contains(rate) {
            throw CommandError(usage: "--bandwidth: from 64K to 1T a second")
        }
        if let ceiling = memoryCeilingBytes, !Self.ceilings.contains(ceiling) {
            throw CommandError(usage: "--memory-ceiling: from 32M to 16T")
        }
        if input[Self.ownGroup], memoryCeilingBytes == nil {
            throw CommandError(usage: "--own-group needs --memory-ceiling, or a profile with one")
        }
    }

    /// The profile that was asked for, with what `--set` changes; nil: none was.
    ///
    /// Of every command that has `--profile` and `--set` by these names.
    static func profile(_ input: Invocation) throws(CommandError) -> TuningProfile? {
        guard let name = input[ServeCommand.profile] else {
            if input[TuneParameters.set] == nil { return nil }
            throw CommandError(usage: "--set needs --profile, whose fields it changes")
        }
        return try TuneParameters.changed(try TuneParameters.read(name), input)
    }

    /// Whether a feature may be used.
    func allows(_ feature: TuningProfile.Feature) -> Bool { profile?.allows(feature) ?? true }

    /// Refuses a disk that needs what the profile does not allow.
    static func check(
        _ information: DiskInformation,
        _ path: String,
        _ profile: TuningProfile?
    ) throws(CommandError) {
        guard let profile else { return }
        if information.isEncrypted, !profile.allows(.encryption) {
            throw CommandError(
                "cannot serve",
                path,
                "it is encrypted, and \(profile.refusal(of: .encryption))"
            )
        }
        if information.compression != .none, !profile.allows(.compression) {
            throw CommandError(
                "cannot serve",
                path,
                "it compresses what is written, and \(profile.refusal(of: .compression))",
                remedy: "turn it off with 'footing disk set --compression none'"
            )
        }
    }

    /// What is said where a place's own profile has limits, which nobody asked for.
    ///
    /// - Returns: nil where it has none.
    static func unused(_ profile: TuningProfile) -> String? {
        guard profile["bandwidth"].number != nil || profile["memory-ceiling"].number != nil else {
            return nil
        }
        let limits = ["connections", "bandwidth", "memory-ceiling"].map(profile.text(of:))
        return "the limits of this place's profile do not hold (\(limits.joined(separator: ", "))):"
            + " --profile \(profile.name) makes them"
    }

    /// The limits for a status.
    ///
    /// - Parameter limits: nil where another program serves the disk, and limits its clients.
    static func json(_ limits: ServeLimits?, _ profile: TuningProfile?) -> JSONValue {
        [
            "profile": profile.map { .string($0.name) } ?? .null,
            "connections": limits.map { JSONValue(UInt64($0.connections)) } ?? .null,
            "bandwidthBytesPerSecond":
                (limits?.bandwidthBytesPerSecond).map { JSONValue($0) } ?? .null,
            "memoryCeilingBytes": (limits?.memoryCeilingBytes).map { JSONValue($0) } ?? .null,
            "features": profile.map { profile in
                .array(
                    TuningProfile.Feature.allCases.filter { profile.allows($0) }
                        .map { .string($0.rawValue) }
                )
            } ?? .null,
        ]
    }
}
