/// Who does what on this machine: for each operation the fastest that was measured.
///
/// It is an accelerator itself: the engine asks one and need not know which answers. What an
/// implementation cannot do at the moment, the processor does.
public final class AcceleratorRegistry: Accelerator {
    /// Every implementation, the processor first.
    public let tiers: [any Accelerator]
    private let software: SoftwareAccelerator
    private let chosen: [any Accelerator]
    private let fallbacks = FallbackCounters()

    /// Puts implementations together.
    ///
    /// - Parameters:
    ///   - software: what is always there.
    ///   - others: devices, in order of preference where nothing was measured.
    ///   - speeds: what was measured; an implementation without a figure is not chosen.
    public init(
        software: SoftwareAccelerator = SoftwareAccelerator(),
        others: [any Accelerator] = [],
        speeds: SpeedTable = SpeedTable()
    ) {
        self.software = software
        tiers = [software] + others
        chosen = AccelerationOperation.allCases.map { operation in
            var best: any Accelerator = software
            for other in others where other.operations.contains(operation) {
                let limit = speeds[best.name, operation] ?? .max
                if let speed = speeds[other.name, operation], speed > limit { best = other }
            }
            return best
        }
    }

    /// `registry`.
    public var name: String { "registry" }

    /// Everything, as the processor can do it.
    public var operations: Set<AccelerationOperation> { software.operations }

    /// The sum of all implementations, and how often the processor had to stand in.
    public var statistics: AcceleratorStatistics {
        tiers.reduce(into: fallbacks.statistics) { $0.add($1.statistics) }
    }

    /// Every implementation that is able to do an operation now.
    public func implementations(of operation: AccelerationOperation) -> [any Accelerator] {
        tiers.filter { $0.operations.contains(operation) }
    }

    /// The one that does it.
    public func preferred(for operation: AccelerationOperation) -> any Accelerator {
        chosen[operation.rawValue]
    }

    /// Compresses with whoever does that fastest.
    public func compress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod,
        _ effort: CompressionEffort
    ) throws(AccelerationError) -> Int? {
        guard let operation = AccelerationOperation.compress(method, effort) else { return nil }
        return try first(operation) { implementation throws(AccelerationError) in
            try unsafe implementation.compress(source, into: target, method, effort)
        }
    }

    /// Decompresses with whoever does that fastest.
    public func decompress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod
    ) throws(AccelerationError) {
        guard let operation = AccelerationOperation.decompress(method) else {
            return try unsafe software.decompress(source, into: target, method)
        }
        try first(operation) { implementation throws(AccelerationError) in
            try unsafe implementation.decompress(source, into: target, method)
        }
    }

    /// Prepares a key with whoever encrypts fastest.
    public func cipher(key: borrowing SecretBytes) throws(AccelerationError) -> any BlockCipher {
        let implementation = preferred(for: .seal)
        do throws(AccelerationError) {
            return try implementation.cipher(key: key)
        } catch {
            guard case .unavailable = error, implementation.name != software.name else {
                throw error
            }
            fallbacks.count(.seal)
            return try software.cipher(key: key)
        }
    }

    /// Lets the preferred implementation try, and the processor where that cannot.
    private func first<Result>(
        _ operation: AccelerationOperation,
        _ body: (any Accelerator) throws(AccelerationError) -> Result
    ) throws(AccelerationError) -> Result {
        let implementation = preferred(for: operation)
        do throws(AccelerationError) {
            return try body(implementation)
        } catch {
            guard case .unavailable = error, implementation.name != software.name else {
                throw error
            }
            fallbacks.count(operation)
            return try body(software)
        }
    }
}
