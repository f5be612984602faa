internal import CFooting

/// The C library's heap.
public enum HeapMemory {
    /// Bounds what the heap keeps of freed memory, for the whole process (`mallopt(3)`).
    ///
    /// Four arenas, of which each keeps so much; what is larger is mapped, and unmapped when it is
    /// freed. By default these limits grow with what the program frees, for each thread. Call it
    /// before any thread starts.
    ///
    /// - Parameter keptBytes: what an arena keeps of freed memory, at most 16 MiB.
    public static func bound(keptBytes: Int) {
        footing_bound_heap(Int32(min(max(keptBytes, 1 << 20), 16 << 20)))
    }

    /// Gives free memory at the heap's end, and whole free pages within it, back to the kernel
    /// (`malloc_trim(3)`).
    public static func trim() {
        footing_trim_heap()
    }
}
