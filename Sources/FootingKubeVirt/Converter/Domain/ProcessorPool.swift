/// The host's threads that a pod may use, handed out so that a guest's core stays on one of the
/// host's, as upstream's `vcpu` package does.
struct ProcessorPool {
    /// What is left of one NUMA node.
    private struct Cell {
        /// Cores with enough free threads for one of the guest's.
        var whole: [[Int]] = []
        /// The free threads of all other cores.
        var fragments: [Int] = []

        /// The threads of a core that has them all; those left over go to the fragments.
        mutating func takeCore(_ threads: Int) -> [Int]? {
            guard let core = whole.first else { return nil }
            let rest = Array(core.dropFirst(threads))
            if rest.count >= threads {
                whole[0] = rest
            } else {
                whole.removeFirst()
                fragments += rest
            }
            return Array(core.prefix(threads))
        }

        mutating func takeFragments(_ count: Int) -> [Int] {
            defer { fragments.removeFirst(min(count, fragments.count)) }
            return Array(fragments.prefix(count))
        }

        mutating func takeThread(_ threadsPerCore: Int) -> Int? {
            if let thread = takeFragments(1).first { return thread }
            guard let core = whole.first, let thread = core.first else { return nil }
            let rest = Array(core.dropFirst())
            if rest.count >= threadsPerCore {
                whole[0] = rest
            } else {
                whole.removeFirst()
                fragments += rest
            }
            return thread
        }
    }

    private var cells: [Cell]
    private let threadsPerCore: Int
    private let available: Int

    init(cells: [HostCell], allowed: [Int], threadsPerCore: Int) {
        precondition(threadsPerCore > 0, "a core without threads")
        self.threadsPerCore = threadsPerCore
        available = allowed.count
        let allowed = Set(allowed)
        var seen: Set<Int> = []
        self.cells = cells.map { cell in
            var pool = Cell()
            for processor in cell.processors where !seen.contains(processor.id) {
                let threads = processor.siblings.isEmpty ? [processor.id] : processor.siblings
                seen.formUnion(threads)
                let free = threads.filter(allowed.contains)
                if free.count >= threadsPerCore {
                    pool.whole.append(free)
                } else {
                    pool.fragments += free
                }
            }
            return pool
        }
    }

    /// Host threads for the guest's cores, thread after thread.
    ///
    /// Whole cores first, then cores made of fragments of one NUMA node, and then, if a core may
    /// lie on two of them, whatever is left.
    mutating func takeCores(
        _ count: Int,
        mayCrossCells: Bool
    ) throws(ConversionError) -> [Int] {
        var taken: [Int] = []
        var missing = count
        for index in cells.indices {
            while missing > 0, let core = cells[index].takeCore(threadsPerCore) {
                taken += core
                missing -= 1
            }
        }
        for index in cells.indices {
            while missing > 0, cells[index].fragments.count >= threadsPerCore {
                taken += cells[index].takeFragments(threadsPerCore)
                missing -= 1
            }
        }
        if missing > 0, mayCrossCells {
            var threads = missing * threadsPerCore
            for index in cells.indices {
                let found = cells[index].takeFragments(threads)
                taken += found
                threads -= found.count
            }
            missing = (threads + threadsPerCore - 1) / threadsPerCore
        }
        guard missing == 0 else {
            throw .impossible(
                mayCrossCells || available < count * threadsPerCore
                    ? "the context's cpuSet has too few processors: \(missing) cores do not fit"
                    : "\(missing) cores do not fit without one that lies on two NUMA nodes"
            )
        }
        return taken
    }

    /// One thread, from the fragments where there are any.
    mutating func takeThread(for use: String) throws(ConversionError) -> Int {
        for index in cells.indices {
            if let thread = cells[index].takeThread(threadsPerCore) { return thread }
        }
        throw .impossible("the context's cpuSet has no processor for \(use)")
    }
}
