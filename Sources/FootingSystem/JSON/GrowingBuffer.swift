/// Plain values one after the other, with one owner.
///
/// An array would do, but asks at each step whether it is shared, and has the runtime make its type
/// first, which costs as much as writing 1 KB.
@safe
struct GrowingBuffer<Element: BitwiseCopyable>: ~Copyable {
    private var elements: UnsafeMutablePointer<Element>
    private var capacity: Int
    private(set) var count = 0

    init(capacity: Int) {
        precondition(capacity > 0, "a buffer without room")
        self.capacity = capacity
        unsafe elements = .allocate(capacity: capacity)
    }

    deinit { unsafe elements.deallocate() }

    /// The values, as long as none is added.
    var contents: UnsafeMutableBufferPointer<Element> {
        unsafe UnsafeMutableBufferPointer(start: elements, count: count)
    }

    subscript(index: Int) -> Element {
        get {
            precondition(index >= 0 && index < count, "outside of the buffer")
            return unsafe elements[index]
        }
        set {
            precondition(index >= 0 && index < count, "outside of the buffer")
            unsafe elements[index] = newValue
        }
    }

    mutating func append(_ element: Element) {
        if count == capacity { grow(by: 1) }
        unsafe elements[count] = element
        count += 1
    }

    mutating func append(_ other: UnsafeBufferPointer<Element>) {
        guard let start = other.baseAddress, other.count > 0 else { return }
        if other.count > capacity - count { grow(by: other.count) }
        unsafe (elements + count).update(from: start, count: other.count)
        count += other.count
    }

    mutating func append(_ element: Element, count repetitions: Int) {
        if repetitions > capacity - count { grow(by: repetitions) }
        unsafe (elements + count).update(repeating: element, count: repetitions)
        count += repetitions
    }

    /// Adds a copy of a part of these values.
    mutating func appendCopy(of part: Range<Int>) {
        precondition(part.lowerBound >= 0 && part.upperBound <= count, "outside of the buffer")
        if part.count > capacity - count { grow(by: part.count) }
        unsafe (elements + count).update(from: elements + part.lowerBound, count: part.count)
        count += part.count
    }

    /// Moves the values from `start` to the end over those at `target`.
    mutating func replace(at target: Int, byLastFrom start: Int) {
        precondition(target >= 0 && target <= start && start <= count, "outside of the buffer")
        unsafe (elements + target).update(from: elements + start, count: count - start)
        count = start
    }

    /// Takes the last values away.
    mutating func cut(to count: Int) {
        precondition(count >= 0 && count <= self.count, "outside of the buffer")
        self.count = count
    }

    private mutating func grow(by count: Int) {
        let capacity = max(self.capacity * 2, self.count + count)
        let elements = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
        unsafe elements.update(from: self.elements, count: self.count)
        unsafe self.elements.deallocate()
        unsafe self.elements = elements
        self.capacity = capacity
    }
}
