internal import CFooting

/// The C library's heap.
public enum HeapMemory {
    /// Bounds what the heap keeps of freed memory, for the whole process (`mallopt(3)`).
    ///
    /// Four arenas with a megabyte each; what is larger is mapped, and unmapped when it is freed. By
    /// default these limits grow with what the program frees, up to 64 MiB for each thread. Call
    /// it before any thread starts.
    public static func bound() {
        footing_bound_heap()
    }

    /// Gives free memory at the heap's end, and whole free pages within it, back to the kernel
    /// (`malloc_trim(3)`).
    public static func trim() {
        footing_trim_heap()
    }
}
