/// Which of the host's processors run what, for a guest with processors of its own.
struct ProcessorPlacement {
    struct ThreadPin {
        var thread: Int
        var processors: [Int]
    }

    /// The host's processor of each of the guest's.
    var processors: [Int]
    var emulator: [Int]?
    var ioThreads: [ThreadPin] = []

    static let evenParity = "alpha.kubevirt.io/EmulatorThreadCompleteToEvenParity"

    /// Places what runs, as upstream's `AdjustDomainForTopologyAndCPUSet`.
    init(
        _ instance: Instance,
        _ context: ConversionContext,
        topology: GuestTopology,
        threads: IOThreadCount?
    ) throws(ConversionError) {
        let field = "spec.domain.cpu.dedicatedCpuPlacement"
        guard !context.processorSet.isEmpty, !context.cells.isEmpty else {
            throw .missing(field, "give cpuSet and topology in the context")
        }
        let processor = instance.processor ?? ProcessorFields()
        var pool = ProcessorPool(
            cells: context.cells,
            allowed: context.processorSet,
            threadsPerCore: topology.threads
        )
        processors = try pool.takeCores(
            topology.sockets * topology.cores,
            mayCrossCells: !processor.passesNUMAThrough
        )
        let supplemental = instance.supplementalThreads ?? 0
        // Before the emulator: they count for its parity.
        for thread in 0..<supplemental {
            let host = try pool.takeThread(for: "I/O thread \(thread + 1)")
            ioThreads.append(ThreadPin(thread: thread + 1, processors: [host]))
        }
        if processor.isolatesEmulator {
            emulator = [try pool.takeThread(for: "the emulator")]
            let pinned = topology.enabledCount + supplemental
            if instance.annotations[Self.evenParity] != nil, pinned.isMultiple(of: 2) {
                emulator?.append(try pool.takeThread(for: "a second emulator thread"))
            }
        }
        if let threads, supplemental == 0 {
            guard threads.total > 0 else {
                throw .impossible("spec.domain.ioThreadsPolicy: no disk for a thread to serve")
            }
            try pinIOThreads(threads.total, context.processorSet, topology.enabledCount)
        }
    }

    private mutating func pinIOThreads(
        _ count: Int,
        _ allowed: [Int],
        _ vCPUs: Int
    ) throws(ConversionError) {
        if let emulator {
            // On the emulator's processor; `auto` makes one thread then.
            ioThreads = [ThreadPin(thread: 1, processors: emulator)]
            return
        }
        guard vCPUs <= allowed.count else {
            throw .impossible("the context's cpuSet has fewer processors than the guest")
        }
        if count >= vCPUs {
            for thread in 1...count {
                ioThreads.append(ThreadPin(thread: thread, processors: [allowed[thread % vCPUs]]))
            }
            return
        }
        // As even as possible, the first ones with one more.
        var next = 0
        for thread in 1...count {
            let share = vCPUs / count + (thread <= vCPUs % count ? 1 : 0)
            let processors = Array(allowed[next..<(next + share)])
            ioThreads.append(ThreadPin(thread: thread, processors: processors))
            next += share
        }
    }

    var element: XMLElement {
        XMLElement(
            "cputune",
            [:],
            processors.enumerated().map { index, processor in
                XMLElement("vcpupin", ["vcpu": "\(index)", "cpuset": "\(processor)"])
            }
                + ioThreads.map { pin in
                    XMLElement(
                        "iothreadpin",
                        ["iothread": "\(pin.thread)", "cpuset": Self.list(pin.processors)]
                    )
                }
                + [emulator.map { XMLElement("emulatorpin", ["cpuset": Self.list($0)]) }]
        )
    }

    static func list(_ processors: [Int]) -> String {
        processors.map { "\($0)" }.joined(separator: ",")
    }
}

/// The guest's sockets, cores and threads that are there at boot.
struct GuestTopology {
    var sockets: Int
    var cores: Int
    var threads: Int
    /// Sockets with those that can be plugged in later.
    var maximumSockets: Int

    var enabledCount: Int { sockets * cores * threads }
    var count: Int { maximumSockets * cores * threads }

    init(_ instance: Instance, _ architecture: Architecture) throws(ConversionError) {
        let processor = instance.processor ?? ProcessorFields()
        sockets = max(processor.sockets, 1)
        cores = max(processor.cores, 1)
        threads = max(processor.threads, 1)
        // arm64 plugs no processors.
        let maximum = architecture == .arm64 ? 0 : processor.maximumSockets
        maximumSockets = maximum == 0 ? sockets : maximum
        guard count <= ProcessorFields.processorsMaximum,
            enabledCount <= ProcessorFields.processorsMaximum
        else {
            throw .impossible(
                "spec.domain.cpu: more than \(ProcessorFields.processorsMaximum) processors"
            )
        }
        guard maximumSockets >= sockets else {
            throw .impossible("spec.domain.cpu.maxSockets: less than sockets")
        }
    }
}

/// How many I/O threads there are, and how many of them disks share.
struct IOThreadCount {
    var total: Int
    var shared: Int

    /// Nil where there is neither a policy nor a disk with a thread of its own.
    init?(_ instance: Instance) {
        let disks = instance.devices.disks
        guard instance.ioThreadsPolicy != nil || disks.contains(where: \.hasOwnThread) else {
            return nil
        }
        if let supplemental = instance.supplementalThreads {
            total = supplemental
            shared = 0
            return
        }
        let own = disks.count(where: \.hasOwnThread)
        shared = disks.count - own
        let limit = Self.limit(instance)
        if disks.count > limit { shared = max(limit - own, 1) }
        total = shared + own
    }

    private static func limit(_ instance: Instance) -> Int {
        guard instance.ioThreadsPolicy == .auto else { return 1 }
        if instance.isDedicated, instance.processor?.isolatesEmulator == true { return 1 }
        let resources = instance.resources
        let processors = resources.requestedProcessors ?? resources.processorLimit ?? Quantity(1)
        return Int(clamping: max(processors.roundedUp, 0)).clamped(to: 0...1 << 20) * 2
    }
}

extension Int {
    fileprivate func clamped(to range: ClosedRange<Int>) -> Int {
        Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
    }
}
