internal import CFooting

/// The C library's heap.
public enum HeapMemory {
    /// Bounds what the heap keeps of freed memory, for the whole process: four arenas with a megabyte
    /// each, and whatever is larger is mapped, and unmapped when it is freed (`mallopt(3)`).
    ///
    /// By default these limits grow with what the program frees, up to 64 MiB for each thread. Call
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
