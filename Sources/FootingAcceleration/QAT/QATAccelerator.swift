internal import CQAT
public import FootingHost
public import FootingSystem
internal import Glibc

/// A block that is compressed or decompressed, and where the result goes.
@safe
public struct AcceleratedBlock {
    /// What is read.
    public let source: UnsafeRawBufferPointer
    /// What is written.
    public let target: UnsafeMutableRawBufferPointer

    /// Names both; they must stay as long as the call takes.
    public init(source: UnsafeRawBufferPointer, target: UnsafeMutableRawBufferPointer) {
        unsafe self.source = source
        unsafe self.target = target
    }
}

/// Intel QuickAssist: deflate and AES-256-GCM by a device.
///
/// Experimental, and never run on a device. Construction never fails: where there is none,
/// ``operations`` is empty, ``obstacle`` says why, and a direct call throws that. Where there is
/// one, each request that it does not do rightly and in time is done by the processor instead; what
/// is stored is the same either way.
public final class QATAccelerator: Accelerator {
    /// What stands in the way; nil if nothing does.
    public let obstacle: QATObstacle?
    /// Whether a stand-in from the tests does the work: nothing that it does says anything about a
    /// device.
    public let isStandIn: Bool

    private let configuration: QATConfiguration
    private let software: any Accelerator
    private let clock: any TimeSource
    private let engine: QATEngine?
    private let isClosed = Locked(false)
    private let totals = Locked(AcceleratorStatistics())

    /// Looks for a device, and starts it where nothing is in the way.
    ///
    /// The library is loaded last, if sysfs shows that it could work.
    ///
    /// - Parameters:
    ///   - configuration: what it may be used for.
    ///   - root: the machine; a replayed one has no device that could be started.
    ///   - software: does what the device does not, and checks it.
    ///   - clock: what times are taken from.
    public convenience init(
        _ configuration: QATConfiguration,
        root: HostRoot,
        software: any Accelerator,
        clock: any TimeSource = SystemClock()
    ) {
        let obstacle = QATObstacle.first(root: root, configuration: configuration)
        self.init(configuration, obstacle: obstacle, software: software, clock: clock) {
            () throws(AccelerationError) in
            try QATLibrary.shared()
        }
    }

    /// With a library of one's own, as a test has.
    init(
        _ configuration: QATConfiguration,
        obstacle: QATObstacle?,
        software: any Accelerator,
        clock: any TimeSource = SystemClock(),
        library: () throws(AccelerationError) -> QATLibrary
    ) {
        self.configuration = configuration
        self.software = software
        self.clock = clock
        var isStandIn = false
        var found = obstacle
        var engine: QATEngine?
        if found == nil {
            var step = QATObstacle.Step.library
            do throws(AccelerationError) {
                let loaded = try library()
                isStandIn = loaded.isStandIn
                step = .start
                engine = try QATEngine(loaded, configuration, software: software, clock: clock)
            } catch {
                found = QATObstacle(step: step, problem: error.description, remedy: "")
            }
        }
        self.isStandIn = isStandIn
        self.obstacle = found
        self.engine = engine
    }

    /// Stops using the device, after what runs has been answered; later calls throw.
    public func close() {
        isClosed.withLock { $0 = true }
        engine?.stop()
    }

    deinit { engine?.stop() }

    /// `qat`.
    public var name: String { "qat" }

    /// What instances do that answered, were not turned off since, and are not restarting.
    public var operations: Set<AccelerationOperation> {
        guard let engine, !isClosed.withLock({ $0 }) else { return [] }
        let reads = configuration.use != .off
        let writes = configuration.use == .all
        let isUsable = { (lanes: [Int]) in lanes.contains { engine.queue.isUsable($0) } }
        var result: Set<AccelerationOperation> = []
        if writes, isUsable(engine.compressing) { result.insert(.compressDeflate) }
        if reads, isUsable(engine.decompressing) { result.insert(.decompressDeflate) }
        if isUsable(engine.encrypting) {
            if writes { result.insert(.seal) }
            if reads { result.insert(.open) }
        }
        return result
    }

    /// What it has done; of what the processor did instead, only how often.
    public var statistics: AcceleratorStatistics { totals.withLock { $0 } }

    /// What happened beside.
    public var counters: QATCounters { engine?.queue.counters ?? QATCounters() }

    /// Registers what instances proved, or why there is nothing.
    public func register(in registry: inout CapabilityRegistry) {
        let capabilities: [(name: String, lanes: [Int], what: String, service: String)] = [
            ("qat.compression", engine?.compressing ?? [], "compressed a block", "dc"),
            ("qat.encryption", engine?.encrypting ?? [], "encrypted a block", "sym"),
        ]
        for (name, lanes, what, service) in capabilities {
            guard let engine, !lanes.isEmpty else {
                let isAsked = service == "dc" || configuration.encrypts
                let reason =
                    obstacle?.text
                    ?? (isAsked
                        ? "no instance \(what): /etc/sysconfig/qat has to enable \(service)"
                        : "encryption by QAT was not asked for")
                registry.note(absent: name, because: reason)
                continue
            }
            registry.register(
                name,
                lanes.map { lane in
                    Evidence(
                        source: isStandIn ? "a stand-in" : "libqat.so.4",
                        value: engine.queue.instances[lane].name,
                        says: "it \(what) rightly"
                    )
                }
            )
        }
    }

    /// Throws what stands in the way of an operation.
    private func demand(_ operation: AccelerationOperation) throws(AccelerationError) -> QATEngine {
        if isClosed.withLock({ $0 }) { throw .unavailable("QAT: closed") }
        guard let engine else { throw .unavailable("QAT: \(obstacle?.text ?? "off")") }
        let mayBe: Bool =
            switch operation {
            case .compressDeflate:
                configuration.use == .all && !engine.compressing.isEmpty
            case .decompressDeflate:
                configuration.use != .off && !engine.decompressing.isEmpty
            case .seal, .open: configuration.use != .off && !engine.encrypting.isEmpty
            default: false
            }
        guard mayBe else {
            throw .unavailable("QAT: \(operation.name) is not offered, or not asked for")
        }
        return engine
    }

    private func isFit(_ count: Int) -> Bool {
        (configuration.blockBytesMinimum...configuration.blockBytesMaximum).contains(count)
    }

    /// Damaged bytes can be more than the block had.
    private func isFit(_ block: AcceleratedBlock) -> Bool {
        unsafe isFit(block.target.count) && !block.source.isEmpty
            && block.source.count <= configuration.blockBytesMaximum
    }

    // MARK: Compression

    /// Compresses one block; see ``compress(_:)`` for many.
    public func compress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod,
        _ effort: CompressionEffort
    ) throws(AccelerationError) -> Int? {
        guard let operation = AccelerationOperation.compress(method, effort) else { return nil }
        guard operation == .compressDeflate else {
            throw .unavailable("QAT: \(operation.name) is not offered")
        }
        return try unsafe compress([AcceleratedBlock(source: source, target: target)])[0].get()
    }

    /// Decompresses one block; see ``decompress(_:)`` for many.
    public func decompress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod
    ) throws(AccelerationError) {
        guard method == .deflate else {
            throw .unavailable("QAT: \(method.name) is not offered")
        }
        try unsafe decompress([AcceleratedBlock(source: source, target: target)])[0].get()
    }

    /// Compresses a batch into raw deflate: all blocks are with the device at the same time.
    ///
    /// - Returns: for each block what ``Accelerator/compress(_:into:_:_:)`` gives.
    public func compress(
        _ blocks: [AcceleratedBlock]
    ) throws(AccelerationError) -> [Result<Int?, AccelerationError>] {
        let engine = try demand(.compressDeflate)
        var results = [Result<Int?, AccelerationError>](
            repeating: .success(nil),
            count: blocks.count
        )
        let bySoftware = { [software] (block: AcceleratedBlock) in
            Result { () throws(AccelerationError) in
                try unsafe software.compress(block.source, into: block.target, .deflate, .fast)
            }
        }
        let numbers = blocks.indices.filter { unsafe isFit(blocks[$0].source.count) }
        let start = clock.nanoseconds
        var work = Work(.compressDeflate)
        engine.queue.run(
            on: engine.compressing,
            count: numbers.count,
            deadline: engine.deadline
        ) { entry in
            let source = unsafe blocks[numbers[entry.number]].source
            unsafe entry.fill(source)
            return unsafe entry.instance.submit(
                entry.request,
                decompressing: false,
                count: source.count,
                room: entry.instance.outputBytes
            )
        } finish: { entry throws(QATFailure) in
            let block = blocks[numbers[entry.number]]
            let count = try finishCompression(engine, entry, block)
            results[numbers[entry.number]] = .success(count)
            unsafe work.add(input: block.source.count, output: count ?? 0)
        } otherwise: { number, _ in
            results[numbers[number]] = bySoftware(blocks[numbers[number]])
            work.fallbacks += 1
        }
        note(work, since: start)
        for index in blocks.indices where unsafe !isFit(blocks[index].source.count) {
            results[index] = bySoftware(blocks[index])
        }
        return results
    }

    private func finishCompression(
        _ engine: QATEngine,
        _ entry: QATQueue.Entry,
        _ block: AcceleratedBlock
    ) throws(QATFailure) -> Int? {
        let results = unsafe entry.request.pointee.results
        let count = Int(results.produced)
        guard count > 0, count <= entry.instance.outputBytes,
            unsafe Int(results.consumed) == block.source.count
        else { throw .wrong }
        guard unsafe count < block.source.count, unsafe count <= block.target.count else {
            return nil
        }
        unsafe block.target.copyMemory(
            from: UnsafeRawBufferPointer(start: entry.request.pointee.output, count: count)
        )
        if engine.queue.isCheckDue(entry.lane) {
            let result = unsafe UnsafeRawBufferPointer(rebasing: block.target[..<count])
            guard unsafe isDeflate(result, of: block.source) else { throw .wrong }
        }
        return count
    }

    /// Decompresses a batch of raw deflate: all blocks are with the device at the same time.
    ///
    /// - Returns: for each block what ``Accelerator/decompress(_:into:_:)`` throws, if anything.
    public func decompress(
        _ blocks: [AcceleratedBlock]
    ) throws(AccelerationError) -> [Result<Void, AccelerationError>] {
        let engine = try demand(.decompressDeflate)
        var results = [Result<Void, AccelerationError>](
            repeating: .success(()),
            count: blocks.count
        )
        let bySoftware = { [software] (block: AcceleratedBlock) in
            Result { () throws(AccelerationError) in
                try unsafe software.decompress(block.source, into: block.target, .deflate)
            }
        }
        let numbers = blocks.indices.filter { isFit(blocks[$0]) }
        let start = clock.nanoseconds
        var work = Work(.decompressDeflate)
        engine.queue.run(
            on: engine.decompressing,
            count: numbers.count,
            deadline: engine.deadline
        ) { entry in
            let block = blocks[numbers[entry.number]]
            unsafe entry.fill(block.source)
            return unsafe entry.instance.submit(
                entry.request,
                decompressing: true,
                count: block.source.count,
                room: block.target.count
            )
        } finish: { entry throws(QATFailure) in
            let block = blocks[numbers[entry.number]]
            let request = unsafe entry.request.pointee
            // Damaged bytes and a damaged device look the same: the processor decides.
            guard unsafe Int(request.results.produced) == block.target.count,
                unsafe Int(request.results.consumed) == block.source.count
            else { throw .result(unsafe request.results.status) }
            let plain = unsafe UnsafeRawBufferPointer(
                start: request.output,
                count: block.target.count
            )
            unsafe block.target.copyMemory(from: plain)
            if engine.queue.isCheckDue(entry.lane) {
                guard unsafe isDeflate(block.source, of: plain) else { throw .wrong }
            }
            unsafe work.add(input: block.source.count, output: block.target.count)
        } otherwise: { number, _ in
            results[numbers[number]] = bySoftware(blocks[numbers[number]])
            work.fallbacks += 1
        }
        note(work, since: start)
        for index in blocks.indices where !isFit(blocks[index]) {
            results[index] = bySoftware(blocks[index])
        }
        return results
    }

    /// Whether the processor gets the same block out of a compressed one.
    private func isDeflate(
        _ compressed: UnsafeRawBufferPointer,
        of block: UnsafeRawBufferPointer
    ) -> Bool {
        let plain = QATScratch(byteCount: block.count)
        do throws(AccelerationError) {
            try unsafe software.decompress(compressed, into: plain.bytes, .deflate)
        } catch {
            return false
        }
        return unsafe plain.equals(block)
    }

    // MARK: Encryption

    /// Prepares a key for the device, and for the processor, which does what the device does not.
    public func cipher(key: borrowing SecretBytes) throws(AccelerationError) -> any BlockCipher {
        let engine = try demand(.seal)
        let held: SecretBytes
        do throws(Errno) {
            held = try key.copy()
        } catch {
            throw .unavailable("no memory for a key: \(error)")
        }
        return QATCipher(
            key: held,
            software: try software.cipher(key: key),
            engine,
            configuration
        ) { [totals, clock] work, start in
            Self.note(work, since: start, totals, clock)
        }
    }

    // MARK: Statistics

    /// What one batch came to.
    struct Work {
        let operation: AccelerationOperation
        var count: UInt64 = 0
        var inputBytes: UInt64 = 0
        var outputBytes: UInt64 = 0
        var fallbacks: UInt64 = 0

        init(_ operation: AccelerationOperation) { self.operation = operation }

        mutating func add(input: Int, output: Int) {
            count &+= 1
            inputBytes &+= UInt64(input)
            outputBytes &+= UInt64(output)
        }
    }

    private func note(_ work: Work, since start: UInt64) {
        Self.note(work, since: start, totals, clock)
    }

    private static func note(
        _ work: Work,
        since start: UInt64,
        _ totals: Locked<AcceleratorStatistics>,
        _ clock: any TimeSource
    ) {
        let nanoseconds = clock.nanoseconds - start
        totals.withLock { totals in
            var line = totals[work.operation]
            line.count &+= work.count &+ work.fallbacks
            line.inputBytes &+= work.inputBytes
            line.outputBytes &+= work.outputBytes
            line.fallbackCount &+= work.fallbacks
            // A batch that the processor helped with says nothing about the device.
            if work.fallbacks == 0 {
                line.timedNanoseconds &+= nanoseconds
                line.timedBytes &+=
                    work.operation == .decompressDeflate ? work.outputBytes : work.inputBytes
            }
            totals[work.operation] = line
        }
    }
}
