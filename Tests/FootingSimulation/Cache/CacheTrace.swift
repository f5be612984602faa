internal import FootingSystem
internal import Glibc

/// A sequence of blocks that clients ask for, made from a seed: the same every time.
package struct CacheTrace: Sendable {
    /// What it is called in tables.
    package let name: String
    /// The blocks, in order.
    package let blocks: [UInt64]
    /// Whether it has scans in it: long runs of blocks of which each is asked for once.
    package let hasScans: Bool

    /// What every policy is measured with: skewed and 90/10 accesses, alone and mixed with scans.
    ///
    /// - Parameter frameCount: the frames of the caches; the traces touch ten times as many blocks.
    package static func all(frameCount: Int) -> [CacheTrace] {
        let blockCount = frameCount * 10
        let count = frameCount * 150
        var traces: [CacheTrace] = []
        for exponent in [0.8, 1.0, 1.2] {
            let zipf = Zipf(count: blockCount, exponent: exponent)
            traces.append(
                CacheTrace("zipf \(exponent)", count, scans: 0, frameCount) { zipf.draw(&$0) }
            )
        }
        traces.append(
            CacheTrace("90/10", count, scans: 0, frameCount) { ninety(&$0, blockCount) }
        )
        // The hot tenth moves on four times.
        var drawn = 0
        traces.append(
            CacheTrace("90/10, moving", count, scans: 0, frameCount) { random in
                drawn += 1
                let shift = UInt64(drawn * 4 / count * (blockCount / 5))
                return (ninety(&random, blockCount) + shift) % UInt64(blockCount)
            }
        )
        let zipf = Zipf(count: blockCount, exponent: 1.0)
        traces.append(
            CacheTrace("zipf 1.0 and scans", count, scans: 12, frameCount) { zipf.draw(&$0) }
        )
        traces.append(
            CacheTrace("90/10 and scans", count, scans: 12, frameCount) {
                ninety(&$0, blockCount)
            }
        )
        return traces
    }

    /// Nine of ten accesses to a tenth of the blocks.
    private static func ninety(_ random: inout SeededRandom, _ blockCount: Int) -> UInt64 {
        let hot = blockCount / 10
        if random.below(10) < 9 { return UInt64(random.below(hot)) }
        return UInt64(hot + random.below(blockCount - hot))
    }

    /// - Parameters:
    ///   - scans: how many scans of twice the cache are spread over it.
    ///   - draw: the next block outside of scans.
    private init(
        _ name: String,
        _ count: Int,
        scans: Int,
        _ frameCount: Int,
        _ draw: (inout SeededRandom) -> UInt64
    ) {
        self.name = name
        hasScans = scans > 0
        var random = SeededRandom(seed: 42)
        var blocks: [UInt64] = []
        var nextScanned: UInt64 = 1 << 32
        for number in 0..<count {
            blocks.append(draw(&random))
            if scans > 0, (number + 1) % (count / scans) == 0 {
                blocks += (0..<UInt64(2 * frameCount)).map { nextScanned + $0 }
                nextScanned += UInt64(2 * frameCount)
            }
        }
        self.blocks = blocks
    }
}

/// Blocks whose popularity falls with a power of their rank.
private struct Zipf {
    /// By rank: the share of all accesses up to it.
    private var shares: [Double] = []

    init(count: Int, exponent: Double) {
        var sum = 0.0
        for rank in 1...count {
            sum += 1 / pow(Double(rank), exponent)
            shares.append(sum)
        }
        for index in shares.indices { shares[index] /= sum }
    }

    func draw(_ random: inout SeededRandom) -> UInt64 {
        let wanted = Double(random.next() >> 11) / Double(UInt64(1) << 53)
        var low = 0
        var high = shares.count - 1
        while low < high {
            let middle = (low + high) / 2
            if shares[middle] < wanted { low = middle + 1 } else { high = middle }
        }
        // Popular blocks are anywhere on the disk.
        return UInt64(low) &* 0x9e37_79b1 & 0xffff_ffff
    }
}
