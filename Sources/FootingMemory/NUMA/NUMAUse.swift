/// What a ``NUMAAllocator`` has given out, by the node that the kernel says it lies on.
public struct NUMAUse: Sendable, Equatable {
    /// Slabs that are in use.
    public var slabCount = 0
    /// Their size in bytes.
    public var byteCount: UInt64 = 0
    /// How much of them lies on which node, in bytes, by the kernel's own word.
    public var bytesByNode: [Int: UInt64] = [:]
    /// Bytes that the kernel would not tell the node of, or that have no memory.
    public var unverifiedBytes: UInt64 = 0
    /// Bytes in reserved huge pages.
    public var reservedBytes: UInt64 = 0
    /// Bytes on the nodes that they were wanted on.
    public var nearBytes: UInt64 = 0
    /// Why slabs lie elsewhere than they were wanted, or on other pages, and how many did since the
    /// start.
    public var fallbacks: [String: Int] = [:]
}
