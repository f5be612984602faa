import FootingDisk
import FootingSystem

/// A read of a simulated disk that has begun: the engine goes on before it ends.
///
/// A run has one thread.
final class ReadInFlight: @unchecked Sendable {
    let queue: DiskReadQueue
    let sectors: Range<UInt64>
    let buffer: AlignedBuffer
    /// What the store had counted before.
    let before: FaultCounts

    init(_ queue: DiskReadQueue, _ sectors: Range<UInt64>, _ before: FaultCounts) {
        self.queue = queue
        self.sectors = sectors
        self.before = before
        buffer = AlignedBuffer(count: sectors.count * 512)
    }
}

// Reads that are under way while the engine writes, collects, and frees what they read.
extension Client {
    /// Begins a read of sectors of one window, unless one is under way.
    func startRead(_ sectors: Range<UInt64>, _ engine: EngineDriver) {
        if model.withLock({ $0.readInFlight != nil }) { return }
        guard let queue = engine.makeReadQueue() else { return }
        let read = ReadInFlight(queue, sectors, store.counts)
        let indices = profile.layout.indices(of: sectors)[0]
        model.withLock { $0.oracle.watch(indices) }
        do throws(DiskError) {
            let isUnderWay = unsafe try queue.start(
                at: sectors.lowerBound * 512,
                into: read.buffer.slice(0..<sectors.count * 512),
                owner: nil,
                token: 0
            )
            if isUnderWay {
                model.withLock { $0.readInFlight = read }
            } else {
                compare(read)
            }
        } catch {
            judge(error, "begin to read \(sectors)", read.before)
        }
    }

    /// Ends the read that is under way, and compares it with all that it may have seen.
    func settleReads() {
        let read = model.withLock { $0.readInFlight.take() }
        guard let read else { return }
        read.queue.settle()
        guard let end = read.queue.next() else { return report("a read has no end") }
        if let error = end.error {
            return judge(error, "read \(read.sectors), meanwhile", read.before)
        }
        model.withLock { $0.lateReadCount += 1 }
        if !store.isDown { compare(read) }
    }

    /// Forgets the read that is under way: its engine has ended.
    func forgetReads() { _ = model.withLock { $0.readInFlight.take() } }

    private func compare(_ read: ReadInFlight) {
        let bytes = unsafe read.buffer.slice(0..<read.sectors.count * 512)
        let indices = profile.layout.indices(of: read.sectors)[0]
        let wrong = model.withLock { model -> String? in
            for (number, index) in indices.enumerated() {
                let part = unsafe UnsafeRawBufferPointer(
                    rebasing: bytes[number * 512..<(number + 1) * 512]
                )
                let sector = read.sectors.lowerBound + UInt64(number)
                let found = unsafe Pattern.version(part, sector: sector)
                let seen = model.oracle.versions(seenAt: index)
                if found.map({ seen.contains($0) }) != true {
                    let text = found.map { String($0) } ?? "garbage"
                    return "sector \(sector) reads as version \(text) and was \(seen.sorted())"
                }
            }
            return nil
        }
        if let wrong { report("read \(read.sectors), meanwhile: \(wrong)") }
    }
}
