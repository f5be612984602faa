/// A token bucket that several flows share fairly, as pure arithmetic: the time is passed in.
///
/// A request is paid for in pieces before it is served, so that in any stretch of time no more is
/// paid for than the rate and one burst. What is served in it may be more by what was paid for
/// before: of a request larger than a piece, the pieces but the last.
///
/// Which flow pays next is decided by start-time fair queueing (Goyal, Vin and Cheng, 1996): each
/// has a tag, the bytes that it had so far on a scale that all share, and the least tag is next. So
/// flows have equal bytes, however large their requests are, and one that was idle has neither
/// saved up nor lost anything.
struct BandwidthQueue {
    private struct Flow {
        /// Bytes of the flow's request that are not paid yet; 0 while it wants nothing.
        var restBytes: UInt64 = 0
        /// Where it is on the common scale.
        var tag: UInt64 = 0
    }

    /// The rate.
    let bytesPerSecond: UInt64
    /// What may be served at once after a time without requests: a tenth of a second's worth.
    let burstBytes: UInt64
    /// What is paid at a time: small beside the burst, and no smaller than is worth the while.
    let pieceBytes: UInt64

    private var flows: [UInt64: Flow] = [:]
    /// How many of the flows want something.
    private(set) var waitingCount = 0
    /// The tag of the piece that was paid last.
    private var commonTag: UInt64 = 0
    /// Until when all that was served is paid by the rate alone, in nanoseconds.
    private var paidUntil: UInt64 = 0
    /// What of a nanosecond is paid as well, in parts of the rate.
    private var paidRest: UInt64 = 0

    /// An idle bucket, which is full.
    ///
    /// - Parameter bytesPerSecond: 4 KiB to 4 TiB.
    init(bytesPerSecond: UInt64) {
        precondition((4 << 10)...(4 << 40) ~= bytesPerSecond, "a rate out of its range")
        self.bytesPerSecond = bytesPerSecond
        burstBytes = bytesPerSecond / 10
        pieceBytes = min(burstBytes, max(64 << 10, burstBytes / 64))
    }

    /// Asks for a request's bytes; a flow asks for one request at a time.
    ///
    /// - Returns: whether it may be served now; otherwise ``grant(_:)`` will tell.
    mutating func ask(_ flow: UInt64, bytes: UInt64, now: UInt64) -> Bool {
        var state = flows[flow] ?? Flow()
        precondition(state.restBytes == 0, "a flow asks for one request at a time")
        guard bytes > 0 else { return true }
        state.tag = max(state.tag, commonTag)
        defer { flows[flow] = state }
        if waitingCount == 0, pay(bytes, now) {
            commonTag = state.tag
            state.tag += bytes
            return true
        }
        state.restBytes = bytes
        waitingCount += 1
        return false
    }

    /// Forgets a flow, and what it waits for.
    mutating func remove(_ flow: UInt64) {
        if let state = flows.removeValue(forKey: flow), state.restBytes > 0 { waitingCount -= 1 }
    }

    /// Pays for as much as is due by now.
    ///
    /// - Returns: the flows whose requests may be served.
    mutating func grant(_ now: UInt64) -> [UInt64] {
        var granted: [UInt64] = []
        while let (flow, state) = next {
            var state = state
            let piece = min(state.restBytes, pieceBytes)
            guard pay(piece, now) else { break }
            commonTag = state.tag
            state.tag += piece
            state.restBytes -= piece
            flows[flow] = state
            guard state.restBytes == 0 else { continue }
            waitingCount -= 1
            granted.append(flow)
        }
        return granted
    }

    /// When ``grant(_:)`` has something to do; nil while nobody waits.
    var nextGrantNanoseconds: UInt64? {
        guard let (_, state) = next else { return nil }
        return paidUntil + duration(min(state.restBytes, pieceBytes)).nanoseconds + 2
    }

    private var next: (UInt64, Flow)? {
        guard waitingCount > 0 else { return nil }
        return
            flows.lazy.filter { $0.value.restBytes > 0 }
            .min { ($0.value.tag, $0.key) < ($1.value.tag, $1.key) }
            .map { ($0.key, $0.value) }
    }

    /// Takes bytes out of the bucket.
    ///
    /// - Returns: false, and nothing was taken, if there are too few.
    private mutating func pay(_ bytes: UInt64, _ now: UInt64) -> Bool {
        guard bytes <= burstBytes else { return false }
        // What the rate gave while the bucket was full is lost.
        let burst = duration(burstBytes)
        // Rounded up, or a full bucket would not do for all that it holds.
        let full = burst.rest == 0 ? burst.nanoseconds : burst.nanoseconds + 1
        var (start, rest) = (paidUntil, paidRest)
        if now > full, start < now - full { (start, rest) = (now - full, 0) }
        let cost = duration(bytes)
        start += cost.nanoseconds
        rest += cost.rest
        if rest >= bytesPerSecond {
            start += 1
            rest -= bytesPerSecond
        }
        guard start < now || (start == now && rest == 0) else { return false }
        (paidUntil, paidRest) = (start, rest)
        return true
    }

    /// How long the rate takes for so many bytes: whole nanoseconds, and parts of the rate.
    private func duration(_ bytes: UInt64) -> (nanoseconds: UInt64, rest: UInt64) {
        let product = bytes.multipliedFullWidth(by: 1_000_000_000)
        let (quotient, remainder) = bytesPerSecond.dividingFullWidth(product)
        return (quotient, remainder)
    }
}
