import FootingHost
import FootingMemory
import FootingSystem
import Testing

/// The kernel that these tests run on, whatever its nodes are.
@Suite struct LiveNodesTests {
    private static let kernel = KernelPolicyCalls()

    /// Whether this kernel has memory policies, and the process may set them.
    private static let hasPolicies: Bool = {
        guard let bytes = unsafe try? AnyPages().map(byteCount: AnyPages.unitBytes) else {
            return false
        }
        defer { unsafe AnyPages().unmap(bytes) }
        return (try? unsafe kernel.bind(bytes, .anywhere)) != nil
    }()

    /// The nodes that this process may have memory of.
    private static func allowed() throws -> [Int] {
        let report = HostReport.gather(root: try HostRoot())
        return report.limits.memoryNodes.value ?? [0]
    }

    @Test(.enabled(if: hasPolicies, "the kernel has no memory policies"))
    func `a page has a node once it has memory`() throws {
        let bytes = unsafe try AnyPages().map(byteCount: AnyPages.unitBytes)
        defer { unsafe AnyPages().unmap(bytes) }
        #expect(try unsafe Self.kernel.nodes(of: bytes).allSatisfy { $0 == nil })
        let node = try Self.allowed()[0]
        try unsafe Self.kernel.bind(bytes, .preferred(node))
        try unsafe Self.kernel.populate(bytes)
        let nodes = try unsafe Self.kernel.nodes(of: bytes)
        #expect(nodes.count == 512 && nodes.allSatisfy { $0 != nil })
        unsafe Self.kernel.discard(bytes)
        #expect(try unsafe Self.kernel.nodes(of: bytes).allSatisfy { $0 == nil })
    }

    @Test(.enabled(if: hasPolicies, "the kernel has no memory policies"))
    func `a node that is not there is refused, and memory comes from the next`() throws {
        let node = try Self.allowed()[0]
        let steps = [1000, node].map { NUMAAllocator.Step(nodes: [$0], distance: nil) }
        let source = NUMAAllocator(steps: steps, hugePages: .transparent)
        let bytes = unsafe try source.map(byteCount: 3 * AnyPages.unitBytes)
        let use = source.verify()
        #expect(use.bytesByNode.values.reduce(0, +) == UInt64(3 * AnyPages.unitBytes))
        #expect(use.fallbacks["node 1000 may not be used by this process"] == 1)
        #expect(use.nearBytes == 0)
        unsafe source.unmap(bytes)
        #expect(throws: Errno.invalidArgument) {
            let bytes = unsafe try AnyPages().map(byteCount: AnyPages.unitBytes)
            defer { unsafe AnyPages().unmap(bytes) }
            try unsafe Self.kernel.bind(bytes, .preferred(5000))
        }
    }

    @Test func `a place on this machine gives memory that can be used`() throws {
        let placement = DiskPlacement.decide(path: "/var/tmp", root: try HostRoot())
        let source = placement.source()
        let bytes = unsafe try source.map(byteCount: AnyPages.unitBytes)
        for offset in stride(from: 0, to: bytes.count, by: 4096) { unsafe bytes[offset] = 1 }
        #expect(source.verify().slabCount == 1)
        unsafe source.unmap(bytes)
        #expect(!placement.text.isEmpty)
    }

    @Test func `reserved huge pages that are not there are done without`() throws {
        let source = NUMAAllocator(steps: [], hugePages: .reserved)
        let bytes = unsafe try source.map(byteCount: 4 * AnyPages.unitBytes)
        for offset in stride(from: 0, to: bytes.count, by: 4096) { unsafe bytes[offset] = 1 }
        let use = source.use
        #expect(use.byteCount == UInt64(bytes.count))
        #expect(use.reservedBytes == (use.fallbacks.isEmpty ? use.byteCount : 0))
        unsafe source.unmap(bytes)
    }

    @Test func `a thread is limited to some processors, and those it starts too`() throws {
        let before = try ProcessorAffinity.current()
        let one = try #require(before.last)
        let seen = Locked<[[Int]]>([])
        let note: @Sendable () -> Void = {
            let now = try? ProcessorAffinity.current()
            seen.withLock { $0.append(now ?? []) }
        }
        try Thread(name: "limited") {
            try? ProcessorAffinity.set([one])
            note()
            try? Thread(name: "inherits", note).join()
        }.join()
        #expect(seen.withLock { $0 } == [[one], [one]])
        #expect(try ProcessorAffinity.current() == before)
        #expect(throws: Errno.invalidArgument) { try ProcessorAffinity.set([]) }
    }
}
