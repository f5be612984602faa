/// What keeps a disk right while it gets another size, gives space back, lets go of blocks, changes
/// how it compresses or what opens it, or is scrubbed.
package enum FeatureRule: String, Sendable, CaseIterable {
    // Another size.
    /// A disk gets smaller only if there is nothing behind its new end.
    case end
    /// Nor in the part of its last block that is behind it.
    case tail
    /// What was written or trimmed lately counts, too, though the map does not have it yet.
    case lately
    /// The table of a container that grows is where its superblock says.
    case table

    // Space that is given back.
    /// The host is not told that nothing needs a segment that was taken into use meanwhile.
    case use
    /// What the collector emptied is free only when the copies are durable.
    case copies

    // Trims.
    /// A flush makes trims durable, also where no data came with them.
    case trim
    /// What is trimmed while the collector copies it stays so.
    case trimmed

    // Compression.
    /// Nothing is compressed before the superblock says that something may be.
    case policy
    /// What the collector compresses anew is noted as what it is then.
    case form

    // Key slots.
    /// One copy of the slots is durable before the other one is overwritten.
    case slots
    /// A damaged copy is made good before the other one is overwritten.
    case healing

    // Scrubbing.
    /// It goes by the current tree.
    case tree
    /// It goes on where it stopped within a leaf of the map.
    case rest
}
