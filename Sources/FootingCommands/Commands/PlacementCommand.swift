internal import FootingHost
internal import FootingMemory
internal import FootingSystem

/// `footing placement`: where memory for a disk would lie, found out by taking some.
enum PlacementCommand {
    static let path = Argument(
        "path",
        .file,
        help: "A disk's container, or a folder or device that is to hold it."
    )
    static let size = Option(
        "size",
        .byteSize,
        default: 64 << 20,
        help: "Memory to take and give back, in whole slabs of 2 MiB."
    )
    static let pages = Option(
        "huge-pages",
        .choice(of: HugePages.self),
        default: .transparent,
        help: "The huge pages to ask for."
    )

    static let declaration = Command(
        name: "placement",
        overview: "Show which NUMA node a disk's memory and threads belong on, by taking some.",
        discussion: """
            Follows the path down to the controllers, takes memory on their node as 'serve' does, \
            asks the kernel where it really lies, and gives it back.
            """,
        parameters: [path.model, size.model, pages.model, SharedParameters.json.model],
        run: run
    )

    /// What one command may take: more tells nothing new.
    private static let sizeMaximum: UInt64 = 16 << 30

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let size = input[size]
        guard size <= sizeMaximum else {
            throw CommandError(usage: "--size is at most \(ByteSize.text(sizeMaximum))")
        }
        let placement: DiskPlacement
        do throws(Errno) {
            placement = DiskPlacement.decide(path: input[path], root: try HostRoot())
        } catch {
            throw CommandError("cannot open", "/", error)
        }
        let source = placement.source(hugePages: input[pages])
        let use: NUMAUse
        do throws(Errno) {
            try placement.pin()
            use = try take(size, source)
        } catch {
            throw CommandError("cannot take", "memory", error, remedy: "ask for less")
        }
        if input[SharedParameters.json] {
            console.print([
                "schema": "footing.placement/1",
                "path": .string(input[path]),
                "placement": placement.json,
                "memory": use.json,
            ])
        } else {
            console.write(TerminalText.harmless(text(placement, use)))
        }
    }

    /// Takes slabs, asks where they lie, and gives them back.
    private static func take(_ size: UInt64, _ source: NUMAAllocator) throws(Errno) -> NUMAUse {
        var slabs = unsafe [UnsafeMutableRawBufferPointer]()
        defer { while let slab = unsafe slabs.popLast() { unsafe source.unmap(slab) } }
        let unit = AnyPages.unitBytes
        for _ in 0..<max(1, Int(size) / unit) {
            let slab = unsafe try source.map(byteCount: unit)
            unsafe slabs.append(slab)
            // Without a choice of nodes nothing has given it memory yet.
            for offset in stride(from: 0, to: unit, by: 4096) { unsafe slab[offset] = 0 }
        }
        return source.verify()
    }

    private static func text(_ placement: DiskPlacement, _ use: NUMAUse) -> String {
        var text = "place   \(placement.text)\n"
        text += "taken   \(ByteSize.text(use.byteCount)) in \(use.slabCount) slabs\n"
        for (node, bytes) in use.bytesByNode.sorted(by: { $0.key < $1.key }) {
            text += "        \(ByteSize.text(bytes)) on node \(node)\n"
        }
        if use.unverifiedBytes > 0 {
            text += "        \(ByteSize.text(use.unverifiedBytes)) the kernel does not tell of\n"
        }
        for (reason, count) in use.fallbacks.sorted(by: { $0.key < $1.key }) {
            text += "        \(reason) (\(count) times)\n"
        }
        return text
    }
}
