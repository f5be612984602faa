/// A set of pages of a container, or of its units: a bit for each, in segments that have any in it.
struct PageSet {
    private let geometry: Geometry
    private let unitsPerBit: Int
    /// By segment; empty until the first.
    private var words: [[UInt64]]

    /// - Parameter unitsPerBit: 1, or the units of a block where everything begins with a page.
    init(_ geometry: Geometry, unitsPerBit: Int = Int(Geometry.unitsPerBlock)) {
        self.geometry = geometry
        self.unitsPerBit = unitsPerBit
        words = Array(repeating: [], count: Int(geometry.segmentCount))
    }

    private func place(_ location: Location) -> (segment: Int, bit: Int) {
        let segment = geometry.segment(of: location)
        let start = geometry.location(segment: segment, page: 0).units
        return (Int(segment), Int(location.units - start) / unitsPerBit)
    }

    /// Whether the page or unit at a location is in it.
    func contains(_ location: Location) -> Bool {
        let (segment, bit) = place(location)
        return !words[segment].isEmpty && words[segment][bit / 64] & 1 << UInt64(bit % 64) != 0
    }

    /// Takes in a page.
    ///
    /// - Returns: false if any of it was in it already.
    @discardableResult
    mutating func insert(_ page: Location) -> Bool {
        insert(page, unitCount: Int(Geometry.unitsPerBlock))
    }

    /// Takes in what an entry refers to.
    ///
    /// - Returns: false if any of it was in it already.
    mutating func insert(_ entry: MapEntry) -> Bool {
        insert(entry.location, unitCount: Int(entry.storedUnits))
    }

    private mutating func insert(_ location: Location, unitCount: Int) -> Bool {
        let (segment, first) = place(location)
        if words[segment].isEmpty {
            let bitCount = geometry.pagesPerSegment * Int(Geometry.unitsPerBlock) / unitsPerBit
            words[segment] = Array(repeating: 0, count: (bitCount + 63) / 64)
        }
        var isNew = true
        for index in first..<first + max(unitCount / unitsPerBit, 1) {
            let bit: UInt64 = 1 << UInt64(index % 64)
            isNew = isNew && words[segment][index / 64] & bit == 0
            words[segment][index / 64] |= bit
        }
        return isNew
    }
}
