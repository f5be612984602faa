internal import CFooting

/// The C library's heap.
public enum HeapMemory {
    /// Gives free memory at the heap's end, and whole free pages within it, back to the kernel
    /// (`malloc_trim(3)`).
    public static func trim() {
        footing_trim_heap()
    }
}
