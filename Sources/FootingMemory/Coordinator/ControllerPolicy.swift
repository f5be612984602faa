/// The numbers by which memory is given back and taken again.
public struct ControllerPolicy: Sendable, Equatable {
    /// Memory that is to stay available for everybody else.
    public struct Reserve: Sendable, Equatable {
        /// Below this share of all memory, in percent, some is given back.
        public var lowerPercent: UInt64
        /// So much is there afterwards, and is left when taking again.
        public var upperPercent: UInt64
        /// Never less than this, in bytes.
        public var minimumBytes: UInt64
        /// Never more, in bytes: a large machine needs no tenth of its memory unused.
        public var maximumBytes: UInt64

        /// The two marks of a machine or group of a size, in bytes.
        func marks(of sizeBytes: UInt64) -> (lower: UInt64, upper: UInt64) {
            func mark(_ percent: UInt64) -> UInt64 {
                let most = maximumBytes / lowerPercent * percent
                let least = minimumBytes / lowerPercent * percent
                // Never more than half: the smallest groups would have nothing left to use.
                return min(max(sizeBytes / 100 * percent, least), most, sizeBytes / 2)
            }
            return (mark(lowerPercent), mark(upperPercent))
        }
    }

    /// For the machine: 12 and 18 %, from 16 MiB to 1 GiB.
    public var machine = Reserve(
        lowerPercent: 12,
        upperPercent: 18,
        minimumBytes: 16 << 20,
        maximumBytes: 1 << 30
    )
    /// For a control group: 10 and 15 %, from 4 MiB to 512 MiB.
    public var group = Reserve(
        lowerPercent: 10,
        upperPercent: 15,
        minimumBytes: 4 << 20,
        maximumBytes: 512 << 20
    )
    /// What others take within this time is given back before they do, in nanoseconds.
    public var foresightNanoseconds: UInt64 = 1_000_000_000
    /// At most so much of the machine is foreseen to go into the balloon, in percent.
    public var balloonForesightPercent: UInt64 = 25
    /// The same for everybody else, whose demand often ends as soon as it began.
    public var foresightPercent: UInt64 = 10
    /// A change of less than one part in so many of the whole is noise.
    public var noiseDivisor: UInt64 = 256
    /// A release is at least one part in so many of what can be released.
    public var releaseDivisor: UInt64 = 16
    /// Taking again goes by one part in so many.
    public var growthDivisor: UInt64 = 10
    /// Between two steps of taking again, in nanoseconds.
    public var growthIntervalNanoseconds: UInt64 = 6_000_000_000
    /// Without pressure for so long before anything is taken again, in nanoseconds.
    public var quietNanoseconds: UInt64 = 10_000_000_000
    /// That time doubles when pressure comes back soon after taking again, up to this.
    public var quietMaximumNanoseconds: UInt64 = 160_000_000_000
    /// So soon, in nanoseconds.
    public var relapseNanoseconds: UInt64 = 60_000_000_000
    /// Two releases on the mere word of the kernel are at least so far apart, in nanoseconds.
    public var wordIntervalNanoseconds: UInt64 = 1_000_000_000
    /// What is missing for a balloon's target after the release for it has to be missing for so
    /// long, in nanoseconds.
    public var planPatienceNanoseconds: UInt64 = 1_000_000_000
    /// Stalls so soon after a release are those before it, if there is room now, in nanoseconds.
    public var echoNanoseconds: UInt64 = 3_000_000_000
    /// Nothing is taken again while tasks wait for memory for more than this, in percent.
    public var stallPercentMaximum = 1.0

    /// How much is released on the mere word of the kernel, in percent of what is used.
    static let words: [(event: PressureEvents, percent: UInt64)] = [
        (.groupOutOfMemory, 25), (.groupCritical, 25), (.groupFullStall, 20),
        (.machineFullStall, 20), (.groupStall, 10), (.machineStall, 10), (.groupMedium, 10),
        (.groupLimit, 10), (.serviceManager, 10),
    ]

    /// The numbers that were measured to do.
    public static let standard = ControllerPolicy()
}
