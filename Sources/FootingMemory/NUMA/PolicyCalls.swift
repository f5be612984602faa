internal import CFooting
package import FootingSystem
internal import Glibc

/// Where the kernel is asked to take memory from (`mbind(2)`).
package enum MemoryPolicy: Sendable, Equatable {
    /// Wherever the kernel takes it without being asked.
    case anywhere
    /// From a node, and from others by their distance where that is full.
    case preferred(Int)
    /// From any of some nodes, and from others where these are full (Linux 5.15).
    case preferredMany([Int])
    /// From these nodes only: the kernel kills a process where ordinary pages run out there, so
    /// this is for reserved huge pages alone, which only fail.
    case bound([Int])
}

/// The kernel's calls on the place of memory; tests put others here, which fail.
package protocol PolicyCalls: Sendable {
    /// Sets a policy for memory that is not touched yet.
    func bind(_ bytes: UnsafeMutableRawBufferPointer, _ policy: MemoryPolicy) throws(Errno)
    /// Gives every page memory, as a write would.
    func populate(_ bytes: UnsafeMutableRawBufferPointer) throws(Errno)
    /// Takes the memory of every page back.
    func discard(_ bytes: UnsafeMutableRawBufferPointer)
    /// The node of each page; nil for a page without memory.
    func nodes(of bytes: UnsafeMutableRawBufferPointer) throws(Errno) -> [Int?]
    /// Asks for transparent huge pages.
    func adviseHuge(_ bytes: UnsafeMutableRawBufferPointer) throws(Errno)
    /// Maps reserved huge pages of 2 MiB, none of which is taken yet.
    func mapReserved(byteCount: Int) throws(Errno) -> UnsafeMutableRawBufferPointer
}

/// The running kernel's calls.
package struct KernelPolicyCalls: PolicyCalls {
    /// What pages are asked about one by one; a huge one answers as often as it has such parts.
    package static let pageBytes = 4096
    /// The kernel's `MAX_NUMNODES` at its highest, in words of 64 bits.
    private static let nodeWords = 16

    package init() {}

    package func bind(
        _ bytes: UnsafeMutableRawBufferPointer,
        _ policy: MemoryPolicy
    ) throws(Errno) {
        let mode: Int32
        let nodes: [Int]
        switch policy {
        case .anywhere: (mode, nodes) = (footing_memory_anywhere, [])
        case .preferred(let node): (mode, nodes) = (footing_memory_preferred, [node])
        case .preferredMany(let many): (mode, nodes) = (footing_memory_preferred_many, many)
        case .bound(let many): (mode, nodes) = (footing_memory_bound, many)
        }
        var words = [UInt64](repeating: 0, count: Self.nodeWords)
        for node in nodes {
            guard node >= 0, node / 64 < words.count else { throw .invalidArgument }
            words[node / 64] |= 1 << UInt64(node % 64)
        }
        try check(
            unsafe footing_bind_memory(bytes.baseAddress, bytes.count, mode, words, words.count)
        )
    }

    package func populate(_ bytes: UnsafeMutableRawBufferPointer) throws(Errno) {
        try check(unsafe footing_populate(bytes.baseAddress, bytes.count))
    }

    package func discard(_ bytes: UnsafeMutableRawBufferPointer) {
        unsafe madvise(bytes.baseAddress, bytes.count, MADV_DONTNEED)
    }

    package func nodes(of bytes: UnsafeMutableRawBufferPointer) throws(Errno) -> [Int?] {
        let count = bytes.count / Self.pageBytes
        var nodes = [Int32](repeating: 0, count: count)
        let status = unsafe footing_page_nodes(bytes.baseAddress, Self.pageBytes, count, &nodes)
        if status == 0 { return nodes.map { $0 >= 0 ? Int($0) : nil } }
        guard status == -EPERM || status == -ENOSYS else { throw Errno(rawValue: -status) }
        // A sandbox that forbids move_pages may still answer for one page at a time.
        var answers: [Int?] = []
        for page in 0..<count {
            let address = unsafe bytes.baseAddress.map { unsafe $0 + page * Self.pageBytes }
            let node = unsafe footing_page_node(address)
            try check(node)
            answers.append(Int(node))
        }
        return answers
    }

    package func adviseHuge(_ bytes: UnsafeMutableRawBufferPointer) throws(Errno) {
        try check(unsafe footing_advise_huge(bytes.baseAddress, bytes.count))
    }

    package func mapReserved(byteCount: Int) throws(Errno) -> UnsafeMutableRawBufferPointer {
        var start: UnsafeMutableRawPointer?
        try check(unsafe footing_map_reserved(byteCount, &start))
        return unsafe UnsafeMutableRawBufferPointer(start: start, count: byteCount)
    }

    private func check(_ status: Int32) throws(Errno) {
        if status < 0 { throw Errno(rawValue: -status) }
    }
}
