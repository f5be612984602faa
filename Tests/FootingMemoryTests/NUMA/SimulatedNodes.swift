import FootingMemory
import FootingSystem

/// A kernel with nodes that fill up, and calls that fail on demand.
///
/// Memory is given as Linux does: from the preferred node, then by the order of `zones`.
final class SimulatedNodes: PolicyCalls {
    struct State {
        /// Free pages on each node.
        var free: [Int: Int]
        /// The order in which other nodes are tried, by the node that is preferred.
        var zones: [Int: [Int]] = [:]
        var allowed: Set<Int>
        var hasPreferredMany = true
        var freeReserved: [Int: Int] = [:]
        var bindError: Errno?
        var populateError: Errno?
        var nodesError: Errno?
        var policies: [UInt: MemoryPolicy] = [:]
        var pages: [UInt: [Int]] = [:]
        var reserved: Set<UInt> = []
        /// The names of all calls.
        var calls: [String] = []
    }

    let state: Locked<State>

    init(free: [Int: Int]) {
        state = Locked(State(free: free, allowed: Set(free.keys)))
    }

    func bind(_ bytes: UnsafeMutableRawBufferPointer, _ policy: MemoryPolicy) throws(Errno) {
        try state.withLock { (state) throws(Errno) in
            state.calls.append("bind")
            if let error = state.bindError { throw error }
            switch policy {
            case .anywhere: break
            case .preferred(let node):
                if !state.allowed.contains(node) { throw .invalidArgument }
            case .preferredMany(let nodes):
                if !state.hasPreferredMany { throw .invalidArgument }
                if state.allowed.isDisjoint(with: nodes) { throw .invalidArgument }
            case .bound(let nodes):
                if state.allowed.isDisjoint(with: nodes) { throw .invalidArgument }
            }
            state.policies[UInt(bitPattern: bytes.baseAddress)] = policy
        }
    }

    func populate(_ bytes: UnsafeMutableRawBufferPointer) throws(Errno) {
        let key = UInt(bitPattern: bytes.baseAddress)
        try state.withLock { (state) throws(Errno) in
            state.calls.append("populate")
            if let error = state.populateError { throw error }
            let wanted: [Int]
            var order: [Int] = []
            switch state.policies[key] {
            case .preferred(let node)?: wanted = [node]
            case .preferredMany(let nodes)?: wanted = nodes
            case .bound(let nodes)?:
                guard state.reserved.contains(key),
                    let node = nodes.first(where: { state.freeReserved[$0, default: 0] > 0 })
                else { throw Errno(rawValue: 14) }
                state.freeReserved[node, default: 0] -= bytes.count / AnyPages.unitBytes
                state.pages[key] = Array(repeating: node, count: bytes.count / 4096)
                return
            default: wanted = [state.zones.keys.min() ?? state.free.keys.min() ?? 0]
            }
            order = wanted + (state.zones[wanted[0]] ?? state.free.keys.sorted())
            var pages: [Int] = []
            for _ in 0..<bytes.count / 4096 {
                let node = order.first {
                    state.allowed.contains($0) && state.free[$0, default: 0] > 0
                }
                guard let node else { throw .noMemory }
                state.free[node, default: 0] -= 1
                pages.append(node)
            }
            state.pages[key] = pages
        }
    }

    func discard(_ bytes: UnsafeMutableRawBufferPointer) {
        state.withLock { state in
            state.calls.append("discard")
            for node in state.pages.removeValue(forKey: UInt(bitPattern: bytes.baseAddress)) ?? [] {
                state.free[node, default: 0] += 1
            }
        }
    }

    func nodes(of bytes: UnsafeMutableRawBufferPointer) throws(Errno) -> [Int?] {
        try state.withLock { (state) throws(Errno) in
            state.calls.append("nodes")
            if let error = state.nodesError { throw error }
            return state.pages[UInt(bitPattern: bytes.baseAddress)]
                ?? Array(repeating: nil, count: bytes.count / 4096)
        }
    }

    func adviseHuge(_ bytes: UnsafeMutableRawBufferPointer) throws(Errno) {
        state.withLock { $0.calls.append("huge") }
    }

    func mapReserved(byteCount: Int) throws(Errno) -> UnsafeMutableRawBufferPointer {
        let isFree = state.withLock { state in
            state.calls.append("reserved")
            return state.freeReserved.values.reduce(0, +) * AnyPages.unitBytes >= byteCount
        }
        if !isFree { throw .noMemory }
        let bytes = unsafe try AnyPages().map(byteCount: byteCount)
        state.withLock { _ = $0.reserved.insert(UInt(bitPattern: bytes.baseAddress)) }
        return unsafe bytes
    }
}
