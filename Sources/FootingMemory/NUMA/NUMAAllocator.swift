public import FootingSystem
internal import Glibc

/// Which huge pages a slab is to lie in.
public enum HugePages: String, Sendable, CaseIterable {
    /// None are asked for; the system may give some anyway.
    case none
    /// What the kernel puts together as it goes (`madvise(2)`, MADV_HUGEPAGE).
    case transparent
    /// Those that the operator set aside (`/proc/sys/vm/nr_hugepages`), as long as some are free.
    ///
    /// Given back they are the pool's again and no other program's, and they count in no process's
    /// resident memory.
    case reserved
}

/// Memory on a chosen node: ``PageSource`` with a place.
///
/// A slab is asked for from the nearest nodes, given memory at once, and then the kernel is asked
/// where each of its pages lies (`move_pages(2)`). One that lies elsewhere is tried with the nodes
/// that are next by distance, and is taken from anywhere in the end: a slab far away is worth more
/// than none. Nodes are preferred, never bound to: where a bound node is full the kernel kills a
/// process instead of looking further.
///
/// Without a choice of nodes, as on a machine with one, it is ``AnyPages`` and asks nothing.
public final class NUMAAllocator: PageSource {
    /// Nodes of one distance, tried together.
    public struct Step: Sendable, Equatable {
        /// The kernel's numbers.
        public let nodes: [Int]
        /// The kernel's distance, 10 being here; nil where the kernel tells none.
        public let distance: Int?

        /// Nodes, and how far they are.
        public init(nodes: [Int], distance: Int?) {
            self.nodes = nodes
            self.distance = distance
        }
    }

    /// Tries with other nodes before a slab is taken from anywhere: each gives it memory anew.
    private static let attemptsMaximum = 4

    private struct Slab {
        let byteCount: Int
        let isReserved: Bool
        var place: Place
    }

    /// Where the pages of a slab lie.
    struct Place {
        var bytesByNode: [Int: UInt64] = [:]
        var unverifiedBytes: UInt64 = 0
    }

    private struct State {
        var slabs: [UInt: Slab] = [:]
        var fallbacks: [String: Int] = [:]
        /// Set once the kernel refuses policies altogether: it will not change its mind.
        var isRefused = false
    }

    /// Where memory is asked for, the nearest nodes first; empty where there is no choice.
    public let steps: [Step]
    /// Which huge pages are asked for.
    public let hugePages: HugePages
    private let calls: any PolicyCalls
    private let state = Locked(State())

    /// An allocator on the running machine.
    ///
    /// - Parameters:
    ///   - steps: the nodes to take memory from, the nearest first; empty: from anywhere.
    ///   - hugePages: what to ask for.
    public convenience init(steps: [Step], hugePages: HugePages = .transparent) {
        self.init(steps: steps, hugePages: hugePages, calls: KernelPolicyCalls())
    }

    package init(steps: [Step], hugePages: HugePages, calls: any PolicyCalls) {
        self.steps = steps.filter { !$0.nodes.isEmpty }
        self.hugePages = hugePages
        self.calls = calls
    }

    /// Takes a slab from the nearest node that has one.
    public func map(byteCount: Int) throws(Errno) -> UnsafeMutableRawBufferPointer {
        if hugePages == .reserved, let slab = unsafe reserved(byteCount) { return unsafe slab }
        let slab = unsafe try AnyPages().map(byteCount: byteCount)
        if hugePages != .none {
            // EINVAL from a kernel without them; the slab is as good without.
            try? unsafe calls.adviseHuge(slab)
        }
        var place: Place?
        do throws(Errno) {
            if !steps.isEmpty { place = try unsafe settle(slab) }
        } catch {
            unsafe AnyPages().unmap(slab)
            throw error
        }
        unsafe add(slab, isReserved: false, place)
        return unsafe slab
    }

    /// Gives a slab back to the kernel.
    public func unmap(_ bytes: UnsafeMutableRawBufferPointer) {
        let known = state.withLock { $0.slabs.removeValue(forKey: unsafe Self.key(bytes)) }
        precondition(known?.byteCount == bytes.count, "a slab is given back as it was taken")
        unsafe AnyPages().unmap(bytes)
    }

    /// What is in use now, as it was found when it was taken or last verified.
    public var use: NUMAUse {
        let near = Set(steps.first?.nodes ?? [])
        return state.withLock { state in
            var use = NUMAUse(fallbacks: state.fallbacks)
            for slab in state.slabs.values {
                use.slabCount += 1
                use.byteCount += UInt64(slab.byteCount)
                use.unverifiedBytes += slab.place.unverifiedBytes
                if slab.isReserved { use.reservedBytes += UInt64(slab.byteCount) }
                for (node, bytes) in slab.place.bytesByNode {
                    use.bytesByNode[node, default: 0] += bytes
                    if near.contains(node) { use.nearBytes += bytes }
                }
            }
            return use
        }
    }

    /// Asks the kernel again where every slab lies: it may have moved pages since.
    ///
    /// Pages without memory, as those of a slab that was discarded, count as unverified.
    public func verify() -> NUMAUse {
        state.withLock { state in
            // Under the lock, so that no slab is given back while it is asked about.
            for (address, slab) in state.slabs {
                let bytes = unsafe UnsafeMutableRawBufferPointer(
                    start: UnsafeMutableRawPointer(bitPattern: address),
                    count: slab.byteCount
                )
                if let place = try? unsafe locate(bytes) { state.slabs[address]?.place = place }
            }
        }
        return use
    }

    private static func key(_ bytes: UnsafeMutableRawBufferPointer) -> UInt {
        UInt(bitPattern: bytes.baseAddress)
    }

    private func add(
        _ bytes: UnsafeMutableRawBufferPointer,
        isReserved: Bool,
        _ place: Place?
    ) {
        let unknown = Place(unverifiedBytes: UInt64(bytes.count))
        let slab = Slab(byteCount: bytes.count, isReserved: isReserved, place: place ?? unknown)
        state.withLock { $0.slabs[unsafe Self.key(bytes)] = slab }
    }

    private func note(_ reason: String) {
        state.withLock { $0.fallbacks[reason, default: 0] += 1 }
    }
}

// MARK: - Finding a place

extension NUMAAllocator {
    /// Gives a slab memory, as near as there is some.
    private func settle(_ bytes: UnsafeMutableRawBufferPointer) throws(Errno) -> Place? {
        for (index, step) in steps.prefix(Self.attemptsMaximum).enumerated() {
            if state.withLock({ $0.isRefused }) {
                try unsafe populate(bytes)
                return unsafe located(bytes)
            }
            guard unsafe prefer(step, bytes) else { continue }
            try unsafe populate(bytes)
            guard let place = unsafe located(bytes) else { return nil }
            if accepts(place, upTo: index) { return place }
            unsafe calls.discard(bytes)
        }
        // Without a node of ours the kernel starts at the thread's own.
        try? unsafe calls.bind(bytes, .anywhere)
        try unsafe populate(bytes)
        let place = unsafe located(bytes)
        note("taken from anywhere")
        return place
    }

    /// Sets the policy, if the kernel lets this process use one of these nodes.
    private func prefer(_ step: Step, _ bytes: UnsafeMutableRawBufferPointer) -> Bool {
        do throws(Errno) {
            if step.nodes.count > 1 {
                do throws(Errno) {
                    try unsafe calls.bind(bytes, .preferredMany(step.nodes))
                    return true
                } catch {
                    // EINVAL: older than Linux 5.15, or one of them is not allowed.
                    if error != .invalidArgument { throw error }
                }
            }
            try unsafe calls.bind(bytes, .preferred(step.nodes[0]))
            return true
        } catch {
            if error == .invalidArgument {
                note("\(Self.text(step.nodes)) may not be used by this process")
            } else {
                state.withLock { $0.isRefused = true }
                note("the kernel refuses mbind: \(error)")
            }
            return false
        }
    }

    /// Whether a place is as near as it gets: on the nodes that were asked for or, where these are
    /// full, on the ones that come next by distance.
    private func accepts(_ place: Place, upTo index: Int) -> Bool {
        let found = Set(place.bytesByNode.keys)
        let near = Set(steps[...index].flatMap(\.nodes))
        if found.isSubset(of: near) {
            if index > 0 { note("\(Self.text(steps[0].nodes)) is full") }
            return true
        }
        guard index + 1 < steps.count,
            found.isSubset(of: near.union(steps[index + 1].nodes))
        else { return false }
        note("\(Self.text(steps[0].nodes)) is full")
        return true
    }

    private static func text(_ nodes: [Int]) -> String {
        (nodes.count == 1 ? "node " : "nodes ") + nodes.map { "\($0)" }.joined(separator: ", ")
    }

    /// Gives every page memory; where the kernel cannot, each is written to.
    private func populate(_ bytes: UnsafeMutableRawBufferPointer) throws(Errno) {
        do throws(Errno) {
            try unsafe calls.populate(bytes)
        } catch {
            guard error == .invalidArgument else { throw error }
            for offset in stride(from: 0, to: bytes.count, by: KernelPolicyCalls.pageBytes) {
                unsafe bytes[offset] = 0
            }
        }
    }

    private func located(_ bytes: UnsafeMutableRawBufferPointer) -> Place? {
        do throws(Errno) {
            return try unsafe locate(bytes)
        } catch {
            note("the kernel does not tell where memory lies: \(error)")
            return nil
        }
    }

    private func locate(_ bytes: UnsafeMutableRawBufferPointer) throws(Errno) -> Place {
        var place = Place()
        let nodes = try unsafe calls.nodes(of: bytes)
        for node in nodes {
            let size = UInt64(bytes.count / nodes.count)
            if let node {
                place.bytesByNode[node, default: 0] += size
            } else {
                place.unverifiedBytes += size
            }
        }
        return place
    }

    /// A slab of reserved huge pages on the nearest nodes; nil if there is none.
    private func reserved(_ byteCount: Int) -> UnsafeMutableRawBufferPointer? {
        let bytes: UnsafeMutableRawBufferPointer
        do throws(Errno) {
            unsafe bytes = try calls.mapReserved(byteCount: byteCount)
        } catch {
            note("no reserved huge page is free: \(error)")
            return nil
        }
        do throws(Errno) {
            if let first = steps.first { try unsafe calls.bind(bytes, .bound(first.nodes)) }
            // Only this call fails where a write would end the program.
            try unsafe calls.populate(bytes)
        } catch {
            unsafe AnyPages().unmap(bytes)
            let place = steps.first.map { " on \(Self.text($0.nodes))" } ?? ""
            note("no reserved huge page is free\(place): \(error)")
            return nil
        }
        unsafe add(bytes, isReserved: true, steps.isEmpty ? nil : located(bytes))
        return unsafe bytes
    }
}
