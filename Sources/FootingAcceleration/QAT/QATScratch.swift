internal import Glibc

/// Bytes to check a result with, wiped when they go.
@safe
struct QATScratch: ~Copyable {
    let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) {
        unsafe bytes = .allocate(byteCount: byteCount, alignment: 64)
        unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    init(_ elements: [UInt8]) {
        self.init(byteCount: elements.count)
        unsafe bytes.copyBytes(from: elements)
    }

    deinit {
        if let start = unsafe bytes.baseAddress { unsafe explicit_bzero(start, bytes.count) }
        unsafe bytes.deallocate()
    }

    /// Whether the same bytes lie there.
    func equals(_ other: UnsafeRawBufferPointer) -> Bool {
        guard let mine = unsafe bytes.baseAddress, let theirs = other.baseAddress else {
            return unsafe bytes.count == other.count
        }
        return unsafe bytes.count == other.count && memcmp(mine, theirs, bytes.count) == 0
    }
}
