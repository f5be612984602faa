import FootingSystem
import Synchronization

// What a crash leads back to: written last.
extension Engine {
    /// A superblock's page, with its proof.
    ///
    /// - Throws: kind `noMemory` if there is none for the proof: nothing is written yet.
    func sealed(_ superblock: Superblock) throws(DiskError) -> AlignedBuffer {
        let page = AlignedBuffer(count: 4096)
        try superblock.store(in: page, cipher?.keys)
        return page
    }

    /// Writes both copies, one after the other, each durable before anything else happens.
    func writeSuperblock(_ page: borrowing AlignedBuffer) throws(DiskError) {
        for offset in Geometry.superblockOffsets {
            do throws(Errno) {
                try unsafe store.write(at: offset, UnsafeRawBufferPointer(page.slice(0..<4096)))
            } catch {
                throw DiskError("write superblock", offset: offset, cause: error)
            }
            traffic.superblockBytes.wrappingAdd(4096, ordering: .relaxed)
            try synchronizeStore("write superblock")
        }
    }
}
