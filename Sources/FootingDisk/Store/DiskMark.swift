public import FootingSystem

/// What an open file says of itself before anybody opens it as a disk.
public enum DiskMark: Sendable, Equatable {
    /// A container that this program can open; its log is on, as there is none without it.
    case disk(Identifier)
    /// No container, or one that this program does not know, and why.
    case none(String)

    /// Reads the superblocks of a file, which may be in use; nothing is locked.
    public static func read(_ file: borrowing FileDescriptor) throws(Errno) -> DiskMark {
        let page = AlignedBuffer(count: 4096)
        var best: (generation: UInt64, identifier: Identifier)?
        var reason = "it is too small"
        for offset in Geometry.superblockOffsets {
            guard try unsafe file.read(at: offset, into: page.slice(0..<4096)) == 4096 else {
                continue
            }
            do throws(Superblock.Refusal) {
                let found = try Superblock(page)
                if found.generation >= best?.generation ?? 0 {
                    best = (found.generation, found.identifier)
                }
            } catch {
                reason = "its superblock \(error.text)"
            }
        }
        return best.map { .disk($0.identifier) } ?? .none(reason)
    }
}
