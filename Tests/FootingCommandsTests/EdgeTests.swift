import FootingDeployment
import FootingDisk
import FootingHost
import FootingSystem
import FootingTestSupport
import FootingTuning
import Testing

@testable import FootingCommands

/// What a profile's limits come to, as arithmetic and as refusals.
@Suite struct EdgeTests {
    private static let mebibyte: UInt64 = 1 << 20

    private func limits(_ words: [String]) throws(CommandError) -> ServeLimits {
        var input = Invocation(declared: ServeCommand.declaration.parameters)
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1).map { String($0) }
            guard
                let model = ServeCommand.declaration.parameters.first(where: {
                    $0.name == parts[0]
                })
            else { throw CommandError("no option \(parts[0])") }
            input.give(model, parts.count > 1 ? parts[1] : "")
        }
        return try ServeLimits(input)
    }

    @Test func `the command line outweighs --set, which outweighs the profile`() throws {
        let preset = try limits(["profile=edge-raspberry-pi"])
        #expect(preset.connections == 10)
        #expect(preset.bandwidthBytesPerSecond == 10 << 20)
        #expect(preset.memoryCeilingBytes == 256 << 20)
        #expect(preset.allows(.compression) && !preset.allows(.remote))
        let changed = try limits([
            "profile=edge-raspberry-pi", "set=bandwidth=20M,connections=5,features=none",
            "connections=3",
        ])
        #expect(changed.connections == 3)
        #expect(changed.bandwidthBytesPerSecond == 20 << 20)
        #expect(!changed.allows(.snapshots))
        let free = try limits(["profile=edge-raspberry-pi", "set=bandwidth=unlimited"])
        #expect(free.bandwidthBytesPerSecond == nil)
        let none = try limits([])
        #expect(none.connections == 64 && none.bandwidthBytesPerSecond == nil)
        #expect(none.memoryCeilingBytes == nil && none.allows(.remote))
    }

    @Test(arguments: [
        ([], true), (["profile=hypervisor"], true), (["profile=edge-generic"], false),
        (["profile=hypervisor", "set=hosted-optimizer=off"], false),
        (["profile=edge-generic", "set=hosted-optimizer=auto"], true),
    ])
    func `segments are prepared as the profile and --set say`(
        _ words: [String],
        _ isOn: Bool
    ) throws {
        let tree = try TunedTree(in: TemporaryDirectory())
        let root = try HostRoot(path: tree.root)
        let profile = try limits(words).profile
        let place = ServeCommand.tuned(Detection(root: root, path: "/disk"), profile)
        #expect(ServeCommand.preparesSegments(profile, place, root) == isOn)
    }

    @Test(
        arguments: [
            (.auto, [], true), (.auto, ["profile=hypervisor"], true), (.off, [], false),
            (.auto, ["profile=edge-generic"], false), (.on, ["profile=edge-generic"], true),
        ] as [(IdleUpkeep, [String], Bool)]
    )
    func `disks keep themselves in order at rest but at the edge`(
        _ upkeep: IdleUpkeep,
        _ words: [String],
        _ isOn: Bool
    ) throws {
        let tree = try TunedTree(in: TemporaryDirectory())
        let profile = try limits(words).profile
        let place = Detection(root: try HostRoot(path: tree.root), path: "/disk")
        let options = upkeep.options(place, profile)
        #expect(options.rearranges == isOn && options.returnsTrimmedSpace == isOn)
    }

    @Test(arguments: [
        (["set=connections=5"], "--set needs --profile"),
        (["bandwidth=1K"], "--bandwidth: from 64K"), (["bandwidth=2T"], "--bandwidth: from 64K"),
        (["memory-ceiling=31M"], "--memory-ceiling: from 32M"),
        (["own-group"], "--own-group needs --memory-ceiling"),
        (["profile=moon"], "cannot read the profile 'moon'"),
    ])
    func `what makes no sense is refused`(_ words: [String], _ text: String) {
        let error = #expect(throws: CommandError.self) { try limits(words) }
        #expect(error?.message.contains(text) == true, "\(error?.message ?? "")")
    }

    @Test func `limits that a place has, and nobody asked for, are named`() throws {
        for profile in BuiltInProfiles.all {
            // The builder's is a base for one's own.
            let isBoard = profile.name.hasPrefix("edge-") && profile.name != "edge-builder"
            #expect((ServeLimits.unused(profile) != nil) == isBoard, "\(profile.name)")
            #expect((DiskCreateProfile.unused(profile) != nil) == isBoard, "\(profile.name)")
        }
        let board = try #require(BuiltInProfiles.named("edge-raspberry-pi"))
        let size = try #require(board["segment-size"].number)
        #expect(board["hosted-optimizer"] == .word("off"))
        #expect(
            DiskCreateProfile.unused(board)
                == "this place's profile was not asked: --profile edge-raspberry-pi has segments "
                + "of \(ByteSize.text(size)), or of what the flash erases, and writes no zeros "
                + "beforehand"
        )
        #expect(
            ServeLimits.unused(board)
                == "the limits of this place's profile do not hold (connections = 10, "
                + "bandwidth = 10M, memory-ceiling = 256M): --profile edge-raspberry-pi makes them"
        )
    }

    @Test(arguments: ["edge-raspberry-pi", "edge-generic", "edge-industrial-gateway"])
    func `a preset's ceiling holds its disk, its clients and the program`(_ name: String) throws {
        let limits = try limits(["profile=\(name)"])
        let ceiling = try #require(MemoryCeiling(limits, limitBytes: nil))
        let budget = try #require(limits.profile?["memory-budget"].number)
        let reads = UInt64(try ceiling.readBytes(besideBudget: budget))
        #expect(reads >= Self.mebibyte && reads <= 4 * Self.mebibyte)
        // Each client's buffers, and its reads twice.
        let clients = UInt64(limits.connections) * (2 * reads + 5 * Self.mebibyte / 2)
        #expect(budget + clients + 16 * Self.mebibyte <= ceiling.bytes)
    }

    @Test func `a ceiling without room is refused with what each part takes`() throws {
        let ceiling = try #require(
            MemoryCeiling(
                try limits(["memory-ceiling=64M", "connections=8"]),
                limitBytes: 1 << 30
            )
        )
        // 64 less 16 and 8 times 4.5.
        #expect(ceiling.budgetBytesMax == 12 * Self.mebibyte)
        #expect(try ceiling.readBytes(besideBudget: 12 * Self.mebibyte) == 1 << 20)
        let error = #expect(throws: CommandError.self) {
            try ceiling.readBytes(besideBudget: 13 * Self.mebibyte)
        }
        let text =
            "a memory ceiling of 64 MiB is too low for 13 MiB of the disk, 4.5 MiB for each "
            + "of 8 clients and 16 MiB of the program"
        #expect(error?.message.hasPrefix(text) == true, "\(error?.message ?? "")")
        let tiny = try #require(MemoryCeiling(try limits(["memory-ceiling=32M"]), limitBytes: nil))
        #expect(tiny.budgetBytesMax == 0)
        #expect(ceiling.keeper(64 << 20).contains("a control group's limit of 64 MiB"))
        #expect(ceiling.keeper(65 << 20).contains("by budgets alone"))
        #expect(ceiling.keeper(nil).contains("by budgets alone"))
    }

    @Test func `budgets go by a control group's limit below the ceiling`() throws {
        let limits = try limits(["memory-ceiling=256M", "connections=8"])
        let ceiling = try #require(MemoryCeiling(limits, limitBytes: 64 << 20))
        #expect(ceiling.askedBytes == 256 << 20)
        #expect(ceiling.budgetBytesMax == 12 * Self.mebibyte)
        #expect(try ceiling.readBytes(besideBudget: 12 * Self.mebibyte) == 1 << 20)
        let error = #expect(throws: CommandError.self) {
            try ceiling.readBytes(besideBudget: 13 * Self.mebibyte)
        }
        let text = "a control group's limit of 64 MiB, below the memory ceiling, is too low"
        #expect(error?.message.hasPrefix(text) == true, "\(error?.message ?? "")")
        #expect(ceiling.keeper(64 << 20).contains("a control group's limit of 64 MiB"))
        #expect(ceiling.keeper(257 << 20).contains("by budgets alone"))
    }

    @Test(
        arguments: [
            // What the profile says, what the flash erases, what it becomes.
            (4 << 20, nil, 4 << 20, nil), (4 << 20, 4 << 20, 4 << 20, nil),
            (4 << 20, 512 << 10, 4 << 20, nil), (4 << 20, 16 << 20, 16 << 20, "erases"),
            (4 << 20, 12 << 20, 4 << 20, "no segment is a multiple"),
            (4 << 20, 128 << 20, 4 << 20, "no segment is a multiple"),
            (nil, nil, nil, nil), (nil, 4 << 20, nil, nil), (nil, 8 << 20, 8 << 20, "erases"),
        ] as [(UInt64?, UInt64?, UInt64?, String?)]
    )
    func `segments are what the profile says, or what the flash erases`(
        wanted: UInt64?,
        erased: UInt64?,
        bytes: UInt64?,
        text: String?
    ) {
        // 32 GiB: 4 MiB are usual.
        let choice = DiskCreateProfile.segment(
            wanted,
            sizeBytes: 32 << 30,
            flash: erased.map { .known($0) } ?? .absent("no flash")
        )
        #expect(choice.bytes == bytes)
        #expect((choice.reason == nil) == (text == nil))
        if let text { #expect(choice.reason?.contains(text) == true) }
    }
}
