import FootingDeployment
import FootingDisk
import FootingHost
import FootingSystem
import FootingTestSupport
import Glibc
import Testing

@testable import FootingTuning

/// What is decided for a disk in a file, and what of such a file is changed.
@Suite struct HostedTests {
    private func decisions(_ mount: String) throws -> [String: Bool] {
        let tree = try TuningTree([.virtio()], mount: mount)
        return Dictionary(
            uniqueKeysWithValues: try tree.plan().hosted.decisions.map { ($0.mechanism, $0.isOn) }
        )
    }

    @Test(arguments: [
        ("ext4 /dev/vda rw,data=ordered", true), ("ext4 /dev/vda rw,data=writeback", true),
        ("ext4 /dev/vda rw,data=journal", false), ("ext3 /dev/vda rw,data=ordered", true),
        ("xfs /dev/vda rw", true), ("btrfs /dev/vda rw", false), ("tmpfs tmpfs rw", false),
        ("overlay overlay rw", false), ("nfs4 server:/export rw", false), ("zfs pool rw", false),
        ("vfat /dev/vda rw", false),
    ])
    func `segments are prepared where an overwrite is one`(
        _ mount: String,
        _ isOn: Bool
    ) throws {
        #expect(try decisions(mount)["prepared-segments"] == isOn)
    }

    @Test(arguments: [
        ("ext4 /dev/vda rw,data=ordered", nil), ("xfs /dev/vda rw", nil),
        ("ext4 /dev/vda rw,data=journal", "every write goes through the journal"),
        // A new file there gets the attribute by which an overwrite is one.
        ("btrfs /dev/vda rw", nil), ("tmpfs tmpfs rw", "in memory"),
        ("overlay overlay rw", "the file system under the overlay"),
    ])
    func `a new disk is prepared only where something is gained by it`(
        _ mount: String,
        _ reason: String?
    ) throws {
        let hosted = try TuningTree([.virtio()], mount: mount).plan().hosted
        let refusal = hosted.preparationRefusal
        #expect((refusal == nil) == (reason == nil))
        #expect(refusal?.contains(reason ?? "") != false, "\(refusal ?? "")")
    }

    @Test func `edge profiles write no segment before it is used, and the plan says why`() throws {
        let tree = try TuningTree([.virtio()], mount: "ext4 /dev/vda rw,data=ordered")
        for profile in BuiltInProfiles.all {
            let name = profile.name
            let root = try tree.root()
            let plan = TuningPlan(
                Detection(root: root, path: "/disk.footing"),
                root: root,
                profile: profile,
                named: []
            )
            #expect(plan.hosted.preparesSegments == !name.hasPrefix("edge"), "\(name)")
            #expect(plan.text().contains("hosted-optimizer = off") == name.hasPrefix("edge"))
        }
    }

    @Test func `ext4 without a journal is known by what it shows`() throws {
        let tree = try TuningTree([.virtio()], mount: "ext4 /dev/vda rw")
        try tree.write("proc/fs/ext4/vda/options", "rw\ndelalloc\nbarrier")
        let plan = try tree.plan()
        #expect(plan.hosted.preparesSegments)
        #expect(plan.notes.contains { $0.hasPrefix("ext4 has no journal here") })
    }

    @Test func `btrfs gets no copy on write when a disk is made`() throws {
        #expect(try decisions("btrfs /dev/vda rw")["no-copy-on-write"] == true)
        #expect(try decisions("ext4 /dev/vda rw")["no-copy-on-write"] == nil)
    }

    @Test func `every decision says why, and what the machine says`() throws {
        for mount in ["ext4 /dev/vda rw", "xfs /dev/vda rw", "btrfs /dev/vda rw", "tmpfs t rw"] {
            let plan = try TuningTree([.virtio()], mount: mount).plan()
            #expect(!plan.hosted.decisions.isEmpty)
            for decision in plan.hosted.decisions {
                #expect(!decision.reason.isEmpty && !decision.evidence.isEmpty)
                #expect(plan.text().contains(decision.reason))
            }
        }
    }

    @Test func `a large block of the device is told`() throws {
        var disk = TuningTree.Disk.virtio()
        disk.queue["physical_block_size"] = "16384"
        let plan = try TuningTree([disk]).plan()
        #expect(plan.hosted.decisions.contains { $0.mechanism == "alignment" && !$0.isOn })
    }

    @Test(arguments: [(2048, 4096, true), (63, 4096, false), (63, 512, true)])
    func `a partition that begins within a block of the device is told`(
        _ start: Int,
        _ physical: Int,
        _ isAligned: Bool
    ) throws {
        var disk = TuningTree.Disk.virtio()
        disk.queue["physical_block_size"] = String(physical)
        disk.attributes["vda1/partition"] = "1"
        disk.attributes["vda1/start"] = String(start)
        disk.attributes["vda1/size"] = "1048576"
        disk.attributes["vda1/dev"] = "254:1"
        let tree = try TuningTree([disk], mount: "ext4 /dev/vda1 rw")
        try tree.mountPartition("vda1", of: disk, minor: 1)
        let plan = try tree.plan()
        #expect(plan.chain == ["vda1", "vda"])
        let found = try #require(plan.hosted.decisions.first { $0.mechanism == "alignment" })
        #expect(found.isOn == isAligned, "\(found.reason)")
        #expect(found.reason.hasPrefix("vda1 begins within") == !isAligned)
    }

    // MARK: - The file

    private func disk(_ tree: TuningTree, _ name: String = "disk.footing") throws -> FileIdentity {
        let path = "\(tree.path)/\(name)"
        try Disk.create(path: path, DiskOptions(sizeBytes: 4 << 20))
        let uuid = try DiskInformation(path: path).identifier.description
        return FileIdentity(path: "/\(name)", disk: uuid)
    }

    @Test func `a file that is no disk is refused, a disk is not`() throws {
        let tree = try TuningTree([.virtio()])
        #expect(try tree.plan().refusal == nil)
        try tree.write("disk.footing", "nothing")
        let plan = try tree.plan()
        #expect(plan.refusal?.contains("no disk of Footing's: it is too small") == true)
        #expect(plan.text().contains("'footing apply' would refuse"))
        try tree.write("disk.footing", String(repeating: "nothing ", count: 20000))
        #expect(try tree.plan().refusal?.contains("its superblock is not one") == true)
        _ = unsafe unlink("\(tree.path)/disk.footing")
        let identity = try disk(tree)
        let found = try tree.plan()
        #expect(found.refusal == nil)
        guard case .container(let uuid, _) = found.hosted.container else {
            Issue.record("not known as a disk")
            return
        }
        #expect(uuid == identity.disk)
        // A damaged one may be anybody's.
        let file = try FileDescriptor.open("\(tree.path)/disk.footing", .readWrite)
        for offset in [100, (64 << 10) + 100] as [UInt64] { try file.write([0xff], at: offset) }
        #expect(try tree.plan().refusal?.contains("checksum") == true)
    }

    @Test func `what is no file is not opened`() throws {
        let tree = try TuningTree([.virtio()])
        _ = unsafe mkfifo("\(tree.path)/disk.footing", 0o600)
        #expect(try tree.plan().hosted.container == .none)
        try tree.write("folder/file", "")
        #expect(try tree.plan(path: "/folder").hosted.container == .none)
    }

    private func journal(_ identity: FileIdentity, boot: String) -> TuningJournal {
        var journal = TuningJournal(boot: boot)
        let entry = TuningJournal.Entry(
            attribute: FileAttribute.dataJournal.rawValue,
            before: FileAttribute.set,
            wanted: FileAttribute.clear,
            after: FileAttribute.clear
        )
        journal.applied = [
            .init(owner: .file(identity), name: identity.path, entries: [entry]),
            .init(
                owner: .machine,
                name: "machine",
                entries: [
                    .init(attribute: "dirty_ratio", before: "33", wanted: "20", after: "20")
                ]
            ),
        ]
        return journal
    }

    private func rollback(
        _ tree: TuningTree,
        _ store: MemoryStore,
        _ flagged: FakeKernel.Flagged,
        force: Bool = false
    ) throws -> TuningOutcome {
        var kernel = FakeKernel(root: try tree.root())
        kernel.flagged = flagged
        return try TuningApplier(root: kernel.root, access: kernel, store: store)
            .rollback(force: force)
    }

    @Test func `a file's attribute is restored also after the machine's next start`() throws {
        for boot in ["first", "earlier"] {
            let tree = try TuningTree([.virtio()])
            let identity = try disk(tree)
            let store = MemoryStore(journal: journal(identity, boot: boot).json.bytes())
            let flagged = FakeKernel.Flagged()
            let undone = try rollback(tree, store, flagged)
            #expect(undone.left.isEmpty)
            #expect(flagged.paths.withLock { $0 } == [identity.path])
            // What the kernel forgets is of this start only.
            #expect(try tree.read("proc/sys/vm/dirty_ratio") == (boot == "first" ? "33" : "20"))
            #expect(store.current == nil)
        }
    }

    @Test func `an apply to a file that a power failure cut short is undone`() throws {
        let tree = try TuningTree([.virtio()])
        let identity = try disk(tree)
        var open = journal(identity, boot: "earlier")
        open.pending = open.applied
        open.applied = []
        let store = MemoryStore(journal: open.json.bytes())
        let flagged = FakeKernel.Flagged()
        let undone = try rollback(tree, store, flagged)
        #expect(undone.notes == ["an interrupted apply or proof was undone"])
        #expect(flagged.paths.withLock { $0 } == [identity.path])
        #expect(store.current == nil)
    }

    @Test func `a disk that is elsewhere, or another one, is not touched`() throws {
        let tree = try TuningTree([.virtio()])
        let identity = try disk(tree)
        let store = MemoryStore(journal: journal(identity, boot: "first").json.bytes())
        let flagged = FakeKernel.Flagged()
        let path = "\(tree.path)/disk.footing"
        _ = unsafe rename(path, "\(tree.path)/elsewhere")
        #expect(try rollback(tree, store, flagged).left.map(\.target) == [identity.path])
        _ = try disk(tree)
        let other = try rollback(tree, store, flagged)
        #expect(other.hasForeign)
        #expect(flagged.paths.withLock { $0.isEmpty })
        _ = unsafe rename("\(tree.path)/elsewhere", path)
        #expect(try rollback(tree, store, flagged).steps.map(\.to) == [FileAttribute.set])
        #expect(store.current == nil)
        // Forced, one that is nowhere is forgotten.
        let lost = MemoryStore(journal: journal(identity, boot: "first").json.bytes())
        _ = unsafe unlink(path)
        _ = try rollback(tree, lost, flagged, force: true)
        #expect(lost.current == nil)
    }

    @Test(arguments: [
        (#""attribute": "data-journal""#, #""attribute": "read_ahead_kb""#),
        (#""before": "set""#, #""before": "1\n""#), (#""file": {"#, #""disk": {"#),
    ])
    func `a journal asks for nothing else of a file`(_ old: String, _ new: String) throws {
        let tree = try TuningTree([.virtio()])
        let identity = try disk(tree)
        let text = String(decoding: journal(identity, boot: "first").json.bytes(), as: UTF8.self)
        let changed = text.replacing(old, with: new)
        #expect(changed != text)
        let store = MemoryStore(journal: Array(changed.utf8))
        let flagged = FakeKernel.Flagged()
        #expect(throws: TuningError.self) { try rollback(tree, store, flagged) }
        #expect(flagged.paths.withLock { $0.isEmpty })
    }

    @Test func `a module's own value counts before the kernel's words`() throws {
        let disk = TuningTree.Disk.nvme("[none]", model: "Amazon Elastic Block Store")
        let tree = try TuningTree([disk], mount: "xfs /dev/nvme0n1 rw")
        let path = "sys/module/nvme_core/parameters/io_timeout"
        try tree.write(path, "30")
        let plan = try tree.plan("hyperscale-cloud")
        #expect(plan.manual.first { $0.rule == "ebs-timeout-at-boot" }?.present == "30")
        // As from modprobe.d, of which the kernel's command line knows nothing.
        try tree.write(path, "4294967295")
        let rules = try tree.plan("hyperscale-cloud").manual.map(\.rule)
        #expect(!rules.contains("ebs-timeout-at-boot"))
    }
}
