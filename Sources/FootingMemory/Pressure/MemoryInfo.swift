public import FootingSystem

/// What `/proc/meminfo` tells of the whole machine.
public struct MemoryInfo: Sendable, Equatable {
    /// What the kernel manages, in bytes (`MemTotal`); most balloons take from it.
    public var totalBytes: UInt64
    /// What can be had without swapping, in bytes (`MemAvailable`).
    public var availableBytes: UInt64
    /// What is in balloons, in bytes (`Balloon`, 6.16 and later).
    public var balloonBytes: UInt64?

    /// An account.
    public init(totalBytes: UInt64, availableBytes: UInt64, balloonBytes: UInt64? = nil) {
        self.totalBytes = totalBytes
        self.availableBytes = availableBytes
        self.balloonBytes = balloonBytes
    }

    /// Nil if the text has no such lines.
    init?(_ text: ArraySlice<UInt8>) {
        guard let total = CounterText.kibibytes("MemTotal", in: text), total > 0,
            let available = CounterText.kibibytes("MemAvailable", in: text)
        else { return nil }
        totalBytes = total
        availableBytes = min(available, total)
        balloonBytes = CounterText.kibibytes("Balloon", in: text)
    }
}

/// `/proc/meminfo`, kept open.
public struct MemoryInfoFile: Sendable {
    private static let path = "proc/meminfo"
    private let file: SampledFile

    /// Opens it.
    ///
    /// - Parameter root: the machine.
    public init(_ root: HostRoot) throws(Errno) {
        file = try SampledFile(Self.path, root)
    }

    /// What it tells now; nil if it tells nothing of memory.
    ///
    /// - Parameter buffer: memory that is used again.
    public func read(into buffer: inout [UInt8]) -> MemoryInfo? {
        guard let text = try? file.read(into: &buffer) else { return nil }
        return MemoryInfo(text)
    }
}
