internal import FootingHost
internal import FootingSystem

/// What is read from time to time, because nothing tells when it changes.
struct PressureSampler: Sendable {
    /// Slower figures are read again after so long, in nanoseconds.
    private static let slowNanoseconds: UInt64 = 1_000_000_000
    /// A fall of less than one part in so many of all memory is noise.
    private static let noiseDivisor: UInt64 = 128
    /// Looks to come, at the same pace, that what is available has to last for.
    private static let looksMinimum: UInt64 = 16

    private let memoryFile: MemoryInfoFile?
    private var balloonDriver: BalloonDriver?
    private var groups: GroupLimits?
    private let machineFile: SampledFile?
    private let groupFile: SampledFile?
    /// Where there is no trigger, the events are made from the totals.
    private let judgesMachine: Bool
    private let judgesGroup: Bool
    private var machineTotals = StallTotals()
    private var groupTotals = StallTotals()
    private var slowAt: UInt64 = 0
    private var last = MemoryReading()
    private var lastInfo: MemoryInfo?
    /// The balloon, or why its state is not known.
    private(set) var balloon: Fact<BalloonStatus>

    init(
        memory: MemoryInfoFile?,
        balloon: Fact<BalloonDriver>,
        groups: GroupLimits?,
        machine: (file: SampledFile?, isWaited: Bool),
        group: (file: SampledFile?, isWaited: Bool)
    ) {
        memoryFile = memory
        balloonDriver = balloon.value
        self.balloon = .absent(balloon.absence ?? "it was not looked at yet")
        self.groups = groups
        machineFile = machine.file
        groupFile = group.file
        judgesMachine = !machine.isWaited
        judgesGroup = !group.isWaited
    }

    /// Reads what is due.
    ///
    /// - Parameters:
    ///   - isQuick: whether all of it is.
    /// - Returns: the reading, and whether anything moved that is worth a closer look.
    mutating func sample(
        at now: UInt64,
        isQuick: Bool,
        _ buffer: inout [UInt8]
    ) -> (reading: MemoryReading, hasMoved: Bool) {
        let isSlow = now >= slowAt
        let info = memoryFile?.read(into: &buffer)
        let hasMoved = hasMoved(info)
        lastInfo = info
        last.events = []
        if isSlow || isQuick || hasMoved { readBalloon(info, now, &buffer) }
        if isSlow {
            slowAt = now.plus(Self.slowNanoseconds)
            groups?.refresh(&buffer)
            readStalls(now, &buffer)
        }
        if let info {
            last.machine = Headroom(
                // A balloon that leaves the total takes from what is there all the same.
                sizeBytes: last.balloon?.guestMemoryBytes ?? info.totalBytes,
                availableBytes: info.availableBytes
            )
        } else {
            last.machine = nil
        }
        last.group = groups?.headroom(machineBytes: info?.totalBytes, &buffer)
        return (last, hasMoved || last.balloon?.isActive == true)
    }

    /// Reads the limits again at once, as after an event of a group.
    mutating func hasten() { slowAt = 0 }

    /// Whether a balloon moves, or so much is taken that it may soon be short.
    private func hasMoved(_ info: MemoryInfo?) -> Bool {
        guard let info, let lastInfo else { return false }
        if info.totalBytes != lastInfo.totalBytes || info.balloonBytes != lastInfo.balloonBytes {
            return true
        }
        let fall = lastInfo.availableBytes.less(info.availableBytes)
        return fall > info.totalBytes / Self.noiseDivisor
            && fall.times(Self.looksMinimum) > info.availableBytes
    }

    private mutating func readBalloon(
        _ info: MemoryInfo?,
        _ now: UInt64,
        _ buffer: inout [UInt8]
    ) {
        guard balloonDriver != nil else { return }
        balloon =
            info.flatMap { balloonDriver?.read($0, at: now, buffer: &buffer) }
            ?? .absent("proc/meminfo tells nothing")
        last.balloon = balloon.value
    }

    private mutating func readStalls(_ now: UInt64, _ buffer: inout [UInt8]) {
        func read(_ file: SampledFile?, _ totals: inout StallTotals) -> StallTotals.Stalls? {
            guard let text = try? file?.read(into: &buffer) else { return nil }
            return totals.step(text, now)
        }
        let machine = read(machineFile, &machineTotals)
        let group = read(groupFile, &groupTotals)
        last.machineStallPercent = machine?.averagePercent
        last.groupStallPercent = group?.averagePercent
        if judgesMachine {
            if machine?.hasSome == true { last.events.insert(.machineStall) }
            if machine?.hasFull == true { last.events.insert(.machineFullStall) }
        }
        if judgesGroup {
            if group?.hasSome == true { last.events.insert(.groupStall) }
            if group?.hasFull == true { last.events.insert(.groupFullStall) }
        }
    }
}

/// The totals of a PSI file, and how much of the time between two looks was spent waiting.
struct StallTotals: Sendable {
    /// What two looks tell.
    struct Stalls: Sendable {
        var averagePercent: Double
        var hasSome: Bool
        var hasFull: Bool
    }

    /// The same shares as the triggers have, in percent.
    private static let somePercent: UInt64 = 7
    private static let fullPercent: UInt64 = 4

    private var some: UInt64?
    private var full: UInt64?
    private var nanoseconds: UInt64 = 0

    /// Takes a look; nil if the text is not of the kind.
    mutating func step(_ text: ArraySlice<UInt8>, _ now: UInt64) -> Stalls? {
        guard let some = CounterText.stall("some", in: text) else { return nil }
        let full = CounterText.stall("full", in: text)
        let microseconds = now.less(nanoseconds) / 1000
        func isLong(_ total: UInt64?, _ before: UInt64?, _ percent: UInt64) -> Bool {
            guard let total, let before, microseconds > 0 else { return false }
            return total.less(before).times(100) / microseconds >= percent
        }
        defer {
            self.some = some.totalMicroseconds
            self.full = full?.totalMicroseconds
            nanoseconds = now
        }
        return Stalls(
            averagePercent: Double(some.averageHundredths) / 100,
            hasSome: isLong(some.totalMicroseconds, self.some, Self.somePercent),
            hasFull: isLong(full?.totalMicroseconds, self.full, Self.fullPercent)
        )
    }
}
