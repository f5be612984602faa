/// A set of pages of a container: a bit for each, in segments of which any is in it.
struct PageSet {
    private let geometry: Geometry
    /// By segment; empty until the first.
    private var words: [[UInt64]]

    init(_ geometry: Geometry) {
        self.geometry = geometry
        words = Array(repeating: [], count: Int(geometry.segmentCount))
    }

    private func place(_ location: Location) -> (segment: Int, word: Int, bit: UInt64) {
        let segment = geometry.segment(of: location)
        let start = geometry.offset(segment: segment, page: 0)
        let page = Int((location.offset - start) / 4096)
        return (Int(segment), page / 64, 1 << UInt64(page % 64))
    }

    func contains(_ location: Location) -> Bool {
        let (segment, word, bit) = place(location)
        return !words[segment].isEmpty && words[segment][word] & bit != 0
    }

    /// - Returns: false if it was in it already.
    @discardableResult
    mutating func insert(_ location: Location) -> Bool {
        let (segment, word, bit) = place(location)
        if words[segment].isEmpty {
            words[segment] = Array(repeating: 0, count: (geometry.pagesPerSegment + 63) / 64)
        }
        let isNew = words[segment][word] & bit == 0
        words[segment][word] |= bit
        return isNew
    }
}
