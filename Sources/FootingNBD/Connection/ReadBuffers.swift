internal import FootingSystem

/// Memory for the data of one read, aligned as a device wants it, until its reply has been sent.
@safe
final class ReadBuffer {
    fileprivate let memory: AlignedBuffer
    /// Bytes of the read.
    fileprivate(set) var count: Int

    fileprivate init(_ memory: consuming AlignedBuffer, count: Int) {
        self.memory = memory
        self.count = count
    }

    /// The data.
    var bytes: UnsafeMutableRawBufferPointer { unsafe memory.slice(0..<count) }
}

/// The read buffers of a connection: those in use, and some to be used again.
final class ReadBuffers {
    private let source: any BufferSource
    /// By size: 4 KiB, twice that, and so on.
    private var idle: [[ReadBuffer]] = []
    /// Bytes of memory of those that were taken and not given back.
    private(set) var usedBytes = 0
    /// Bytes of memory of the others.
    private(set) var idleBytes = 0
    private let bytesMax: Int

    /// - Parameter bytesMax: beyond so much in all nothing is kept to be used again.
    init(_ source: any BufferSource, bytesMax: Int) {
        self.source = source
        self.bytesMax = bytesMax
    }

    private static func sizeClass(_ count: Int) -> Int {
        let pages = (count + 4095) / 4096
        return pages <= 1 ? 0 : Int.bitWidth - (pages - 1).leadingZeroBitCount
    }

    /// Memory for a read of so many bytes.
    ///
    /// - Throws: `ENOMEM` where there is none.
    func take(_ count: Int) throws(Errno) -> ReadBuffer {
        let sizeClass = Self.sizeClass(count)
        if sizeClass < idle.count, let buffer = idle[sizeClass].popLast() {
            usedBytes += 4096 << sizeClass
            idleBytes -= 4096 << sizeClass
            buffer.count = count
            return buffer
        }
        // Those of other sizes were for what the client did before.
        if usedBytes + idleBytes + 4096 << sizeClass > bytesMax { discard() }
        let memory = try source.buffer(count: 4096 << sizeClass, isHuge: false)
        usedBytes += 4096 << sizeClass
        return ReadBuffer(memory, count: count)
    }

    /// Takes a buffer back, to be used again.
    func giveBack(_ buffer: ReadBuffer) {
        forget(buffer)
        let sizeClass = Self.sizeClass(buffer.count)
        guard usedBytes + idleBytes + 4096 << sizeClass <= bytesMax else { return }
        idleBytes += 4096 << sizeClass
        while idle.count <= sizeClass { idle.append([]) }
        idle[sizeClass].append(buffer)
    }

    /// Takes note that a buffer is not given back: a device may still write to it.
    func forget(_ buffer: ReadBuffer) {
        usedBytes -= 4096 << Self.sizeClass(buffer.count)
    }

    /// Gives the memory of those that are not in use back.
    func discard() {
        idle = []
        idleBytes = 0
    }
}
