/// What QAT may be used for, and its limits.
///
/// Experimental: this was never run on a device. So nothing is written with it unless asked, and
/// much of what it does is checked by the processor.
public struct QATConfiguration: Sendable, Equatable {
    /// Which way blocks may go through it.
    public enum Use: String, Sendable, CaseIterable {
        /// Not at all; no library is loaded.
        case off
        /// What is read: decompression, and decryption where ``encrypts`` allows it.
        case reads
        /// What is written too.
        case all
    }

    /// Which way blocks may go through it.
    public var use: Use = .off
    /// Whether encryption and decryption go through it: a processor with AES instructions needs
    /// 1.4 µs for 4 KiB, which is hard to beat across a bus.
    public var encrypts = false
    /// Smaller blocks stay with the processor.
    public var blockBytesMinimum = 16 << 10
    /// Larger blocks stay with the processor; QAT 6 takes no more than 64 KiB.
    public var blockBytesMaximum = 64 << 10
    /// Instances of each service that are used; a device offers up to 64.
    public var instanceMaximum = 4
    /// Requests that one instance has at the same time; each takes about 140 KiB of memory that the
    /// device can reach.
    public var depth = 16
    /// After so long a request is done by the processor instead.
    public var timeoutMilliseconds = 250
    /// After so many requests in a row without an answer an instance is no longer used.
    public var timeoutMaximum = 3
    /// So many first results of an instance are all checked by the processor.
    public var checkedFirst = 256
    /// Of the later ones, one in so many.
    public var checkedInterval = 16

    /// Off.
    public init() {}

    /// The default limits.
    public init(use: Use, encrypts: Bool = false) {
        self.use = use
        self.encrypts = encrypts
    }
}

/// Why a request was not done by the device; the processor does it then.
enum QATFailure: Error, Equatable {
    /// No instance has room, or the ring is full (`RETRY`): nobody waits for a place.
    case busy
    /// The device is being restarted.
    case restarting
    /// Not answered in time; the memory is kept until it is.
    case timedOut
    /// The library or the device refused: a `CpaStatus`.
    case status(Int32)
    /// A `CpaDcReqStatus` other than success.
    case result(Int32)
    /// Answered, and wrong.
    case wrong
}

/// What happened beside the operations that ``AcceleratorStatistics`` counts.
public struct QATCounters: Sendable, Equatable {
    /// Requests handed over to the device.
    public var requests: UInt64 = 0
    /// Requests that found no room, or a full ring.
    public var busy: UInt64 = 0
    /// Requests that were answered with an error.
    public var errors: UInt64 = 0
    /// Requests that were not answered in time.
    public var timeouts: UInt64 = 0
    /// Answers to those, that came later.
    public var lateAnswers: UInt64 = 0
    /// Results that the processor checked.
    public var checks: UInt64 = 0
    /// Results that the processor found wrong.
    public var wrongResults: UInt64 = 0
    /// Times that an instance said it is restarting or broken.
    public var restarts: UInt64 = 0
    /// Pieces of memory that wait for a late answer now.
    public var quarantined = 0
}
