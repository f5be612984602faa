/// What goes wrong in a simulated store, and how often.
///
/// The first group are the faults of hardware that keeps its promises: what a correct engine must
/// survive without losing anything. The others are explained errors: the engine may fail, and must
/// not lie.
package struct Faults: Sendable {
    /// Reads that fail with EIO: one in so many; 0 for none.
    package var readErrorOneIn = 0
    /// Bytes that cannot be read.
    package var unreadable: Range<UInt64>?
    /// Writes that fail with EIO.
    package var writeErrorOneIn = 0
    /// Writes at this offset fail with EIO.
    package var writeErrorOffset: UInt64?
    /// Syncs that fail, and lose a part of what was to be made durable.
    package var syncErrorOneIn = 0
    /// Writes that fail with ENOSPC and change nothing.
    package var writeSpaceErrorOneIn = 0
    /// Writes from this offset on fail with ENOSPC.
    package var writeSpaceEnd: UInt64?
    /// Writes that go elsewhere: to another page of the container.
    package var misdirectedWriteOneIn = 0
    /// Space behind the container in bytes; nil for plenty.
    package var spaceBytesMax: UInt64?

    /// Nothing goes wrong but crashes.
    package init() {}

    /// A place that cannot be written.
    package init(writeErrorOffset: UInt64) { self.writeErrorOffset = writeErrorOffset }
}

/// What a sabotaged store leaves out, to show that the simulation notices.
package enum Sabotage: Sendable, CaseIterable {
    /// Nothing.
    case none
    /// The sync right before a superblock's first copy is written.
    case syncBeforeSuperblock
    /// The sync after each superblock's copy.
    case syncAfterSuperblock
    /// Every sync that is not followed by a superblock: those of flushes.
    case syncOfFlush
}

/// What a crash leaves of the writes that were not synced.
package enum Survival: Sendable {
    /// Nothing.
    case none
    /// Everything, as when only the process died.
    case all
    /// An arbitrary part, in an arbitrary order, each write whole, absent, or torn at 512 bytes.
    case random
    /// The writes of which the bit is set, by age; whole.
    case subset(UInt64)
}

/// What a store counted.
package struct FaultCounts: Sendable, Equatable {
    /// Reads that failed.
    package var readErrors = 0
    /// Writes or syncs that failed for good.
    package var writeErrors = 0
    /// Requests for which there was no space.
    package var spaceErrors = 0
    /// Writes that went elsewhere.
    package var misdirectedWrites = 0
}
