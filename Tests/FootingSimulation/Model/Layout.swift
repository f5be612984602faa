import FootingSystem

/// The parts of a disk that a simulation uses, and watches every sector of.
///
/// A small disk is watched as a whole. Of a large one only some windows are used: its map is as
/// deep as the disk is large, and the oracle stays small. Sectors are numbered through the windows.
package struct Layout: Sendable {
    /// Ranges of the disk's sectors, in order.
    package let windows: [Range<UInt64>]

    /// Watched sectors in all.
    package let sectorCount: Int

    /// Watches these ranges of sectors.
    package init(windows: [Range<UInt64>]) {
        self.windows = windows
        sectorCount = windows.reduce(0) { $0 + $1.count }
    }

    /// The numbers of the watched sectors in a range of the disk, window by window.
    package func indices(of sectors: Range<UInt64>) -> [Range<Int>] {
        var result: [Range<Int>] = []
        var base = 0
        for window in windows {
            let part = window.clamped(to: sectors)
            if !part.isEmpty {
                let start = base + Int(part.lowerBound - window.lowerBound)
                result.append(start..<start + part.count)
            }
            base += window.count
        }
        return result
    }

    /// The windows of a disk that ends there.
    func windows(below end: UInt64) -> [Range<UInt64>] {
        windows.filter { $0.lowerBound < end }.map { $0.clamped(to: 0..<end) }
    }

    /// A range of sectors in one window, at most `countMax` long, of a disk that ends there.
    func pick(_ random: inout SeededRandom, countMax: Int, below end: UInt64) -> Range<UInt64> {
        let windows = windows(below: end)
        let window = windows[random.below(windows.count)]
        let start = window.lowerBound + UInt64(random.below(window.count))
        let count = 1 + random.below(countMax)
        return start..<min(window.upperBound, start + UInt64(count))
    }
}

extension Layout {
    /// The part of a range that lies in the window that it begins in.
    func clamped(_ sectors: Range<UInt64>) -> Range<UInt64> {
        for window in windows where window.contains(sectors.lowerBound) {
            return sectors.clamped(to: window)
        }
        preconditionFailure("a range outside of all windows")
    }
}
