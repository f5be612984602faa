import FootingMemory
import FootingSystem
import Testing

@Suite struct NUMAAllocatorTests {
    typealias Step = NUMAAllocator.Step
    private static let slabBytes = AnyPages.unitBytes
    private static let slabPages = AnyPages.unitBytes / 4096
    private static let steps = [1, 2, 0].map { Step(nodes: [$0], distance: nil) }

    private func allocator(
        _ kernel: SimulatedNodes,
        steps: [Step] = steps,
        hugePages: HugePages = .none
    ) -> NUMAAllocator {
        NUMAAllocator(steps: steps, hugePages: hugePages, calls: kernel)
    }

    private static func kernel(free: [Int: Int] = [0: 9000, 1: 9000, 2: 9000]) -> SimulatedNodes {
        let kernel = SimulatedNodes(free: free)
        kernel.state.withLock { $0.zones = [1: [2, 0], 2: [1, 0], 0: [2, 1]] }
        return kernel
    }

    /// Takes so many slabs, gives the account, and gives them back.
    private func take(_ count: Int, _ allocator: NUMAAllocator) throws -> NUMAUse {
        var slabs = unsafe [UnsafeMutableRawBufferPointer]()
        for _ in 0..<count {
            let slab = unsafe try allocator.map(byteCount: Self.slabBytes)
            unsafe slabs.append(slab)
        }
        let use = allocator.use
        while let slab = unsafe slabs.popLast() { unsafe allocator.unmap(slab) }
        #expect(allocator.use.slabCount == 0 && allocator.use.bytesByNode.isEmpty)
        return use
    }

    @Test func `slabs lie on the wanted node, and are counted`() throws {
        let use = try take(3, allocator(Self.kernel()))
        #expect(use.slabCount == 3)
        #expect(use.bytesByNode == [1: UInt64(3 * Self.slabBytes)])
        #expect(use.nearBytes == use.byteCount && use.unverifiedBytes == 0)
        #expect(use.fallbacks.isEmpty)
    }

    @Test func `a full node falls back by distance, then anywhere`() throws {
        let kernel = Self.kernel(free: [0: 9000, 1: Self.slabPages, 2: Self.slabPages + 10])
        let use = try take(4, allocator(kernel))
        let slab = UInt64(Self.slabBytes)
        // The third lies on two nodes: what was left of the second, and the last.
        #expect(use.bytesByNode == [1: slab, 2: slab + 40960, 0: 2 * slab - 40960])
        #expect(use.fallbacks == ["node 1 is full": 3])
        #expect(use.nearBytes == slab)
    }

    @Test func `a kernel that skips the next node is asked for it`() throws {
        let kernel = Self.kernel(free: [0: 9000, 1: 0, 2: 9000])
        kernel.state.withLock { $0.zones[1] = [0, 2] }
        let use = try take(2, allocator(kernel))
        #expect(use.bytesByNode == [2: UInt64(2 * Self.slabBytes)])
        #expect(kernel.state.withLock { $0.calls.filter { $0 == "discard" }.count } == 2)
        // What was discarded is not lost.
        #expect(kernel.state.withLock { $0.free[0] } == 9000)
    }

    @Test func `nodes that may not be used are passed over`() throws {
        let kernel = Self.kernel()
        kernel.state.withLock { $0.allowed = [0] }
        let use = try take(1, allocator(kernel))
        #expect(use.bytesByNode == [0: UInt64(Self.slabBytes)])
        #expect(use.fallbacks["node 1 may not be used by this process"] == 1)
        #expect(use.fallbacks["node 2 may not be used by this process"] == 1)
        kernel.state.withLock { $0.allowed = [5] }
        #expect(throws: Errno.noMemory) { _ = unsafe try allocator(kernel).map(byteCount: 2 << 20) }
    }

    @Test func `only some nodes are tried before it is taken from anywhere`() throws {
        let kernel = Self.kernel()
        kernel.state.withLock { $0.allowed = [0] }
        let many = (10..<40).map { Step(nodes: [$0], distance: nil) }
        let use = try take(1, allocator(kernel, steps: many))
        #expect(use.fallbacks["taken from anywhere"] == 1)
        #expect(kernel.state.withLock { $0.calls.filter { $0 == "bind" }.count } < 11)
    }

    @Test(arguments: [true, false])
    func `two controllers' nodes are preferred together`(hasPreferredMany: Bool) throws {
        let kernel = Self.kernel()
        kernel.state.withLock { $0.hasPreferredMany = hasPreferredMany }
        let steps = [Step(nodes: [1, 2], distance: 10), Step(nodes: [0], distance: 20)]
        let use = try take(2, allocator(kernel, steps: steps))
        #expect(use.nearBytes == UInt64(2 * Self.slabBytes) && use.fallbacks.isEmpty)
        let policy = kernel.state.withLock { $0.policies.values.first }
        #expect(policy == (hasPreferredMany ? .preferredMany([1, 2]) : .preferred(1)))
    }

    @Test(arguments: [Errno.notPermitted, .notImplemented])
    func `a kernel that refuses is asked once`(error: Errno) throws {
        let kernel = Self.kernel()
        kernel.state.withLock { $0.bindError = error }
        let source = allocator(kernel)
        let use = try take(3, source)
        #expect(use.byteCount == use.bytesByNode[0])
        #expect(use.fallbacks == ["the kernel refuses mbind: \(error)": 1])
        #expect(kernel.state.withLock { $0.calls.filter { $0 == "bind" }.count } == 1)
    }

    @Test func `what the kernel does not tell is not claimed`() throws {
        let kernel = Self.kernel()
        kernel.state.withLock { $0.nodesError = .notPermitted }
        let use = try take(2, allocator(kernel))
        #expect(use.unverifiedBytes == use.byteCount && use.nearBytes == 0)
        #expect(use.fallbacks.count == 1 && use.fallbacks.values.first == 2)
    }

    @Test func `a kernel that cannot populate gets every page written to`() throws {
        let kernel = Self.kernel()
        kernel.state.withLock { $0.populateError = .invalidArgument }
        let use = try take(1, allocator(kernel))
        #expect(use.byteCount == UInt64(Self.slabBytes))
    }

    @Test func `no memory is an error and leaves nothing behind`() throws {
        let kernel = Self.kernel()
        kernel.state.withLock { $0.populateError = .noMemory }
        let source = allocator(kernel)
        #expect(throws: Errno.noMemory) { _ = unsafe try source.map(byteCount: 2 << 20) }
        #expect(source.use.slabCount == 0)
    }

    @Test func `one node costs nothing`() throws {
        let kernel = Self.kernel()
        let use = try take(3, allocator(kernel, steps: []))
        #expect(use.slabCount == 3)
        #expect(kernel.state.withLock { $0.calls }.isEmpty)
        _ = try take(2, allocator(kernel, steps: [], hugePages: .transparent))
        #expect(kernel.state.withLock { $0.calls } == ["huge", "huge"])
    }

    @Test func `reserved huge pages are taken while the node has some`() throws {
        let kernel = Self.kernel()
        kernel.state.withLock { $0.freeReserved = [1: 2, 0: 3] }
        let use = try take(3, allocator(kernel, hugePages: .reserved))
        #expect(use.reservedBytes == UInt64(2 * Self.slabBytes))
        #expect(use.bytesByNode == [1: UInt64(3 * Self.slabBytes)])
        #expect(
            use.fallbacks.keys.first?.hasPrefix("no reserved huge page is free on node 1") == true
        )
    }

    @Test func `pages that were moved are found by asking again`() throws {
        let kernel = Self.kernel()
        let source = allocator(kernel)
        let slab = unsafe try source.map(byteCount: Self.slabBytes)
        kernel.state.withLock { state in
            for key in state.pages.keys {
                state.pages[key] = Array(repeating: 2, count: Self.slabPages)
            }
        }
        #expect(source.use.bytesByNode == [1: UInt64(Self.slabBytes)])
        #expect(source.verify().bytesByNode == [2: UInt64(Self.slabBytes)])
        unsafe source.unmap(slab)
    }
}
