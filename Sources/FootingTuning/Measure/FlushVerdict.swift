public import FootingSystem

/// Whether a flush seems to do what it is for, as far as a measurement can tell.
public struct FlushVerdict: Sendable, Equatable {
    /// The words.
    public enum Word: String, Sendable, CaseIterable {
        /// It takes as long as one that does its work; that it does is not shown by that.
        case honest
        /// It is faster than any medium known can be made to keep something.
        case suspiciouslyFast = "suspiciously fast"
        /// The device says that it has no cache that could lose anything.
        case noVolatileCache = "no volatile cache"
        /// Flushes were asked for, and the device got none.
        case notSent = "not sent"
        /// Nothing can be said.
        case unknown
    }

    /// What is known of a place and what was measured there.
    public struct Evidence: Sendable {
        /// What each disk says of its cache; empty where no disk is known.
        public var writeCaches: [String] = []
        /// Whether a disk is known to turn; nil where it is not known, as of virtio-blk.
        public var isRotating: Bool?
        /// Whether writes went past the page cache.
        public var isDirect = true
        /// Whether the file system lies in memory, or on another machine.
        public var isElsewhere = false
        /// A flush after one block was written.
        public var flushNanoseconds: Double?
        /// A flush after 16 MiB were written.
        public var burstNanoseconds: Double?
        /// How many flushes were asked for, and how many the disks counted meanwhile, from anybody.
        public var asked = 0
        /// Nil where the kernel counts none.
        public var counted: UInt64?

        /// Nothing known.
        public init() {}
    }

    /// The word.
    public let word: Word
    /// What speaks for it, and what does not follow from it, a sentence each.
    public let reasons: [String]

    /// The least that NAND flash takes to be programmed.
    ///
    /// 200 µs and more where a cell has three bits, about half of that in the fastest kinds with
    /// one. 3D XPoint is faster.
    static let flashFloorNanoseconds = 100_000.0
    /// A quarter of a turn at 15,000 a minute; on average it is half a turn.
    static let rotatingFloorNanoseconds = 1_000_000.0

    /// Judges.
    public static func judge(_ evidence: Evidence) -> FlushVerdict {
        if evidence.isElsewhere {
            return .init(
                word: .unknown,
                reasons: ["The file system is in memory, or on another machine."]
            )
        }
        guard !evidence.writeCaches.isEmpty else {
            return .init(word: .unknown, reasons: ["No disk under the path is known."])
        }
        guard let flush = evidence.flushNanoseconds else {
            return .init(word: .unknown, reasons: ["No flush was measured."])
        }
        if evidence.writeCaches.allSatisfy({ $0 == "write through" }) {
            return .init(
                word: .noVolatileCache,
                reasons: [
                    "The disk says 'write through': the kernel sends it no flushes.",
                    "Whether what says so has a cache all the same cannot be measured here.",
                ]
            )
        }
        guard evidence.writeCaches.allSatisfy({ $0 == "write back" }) else {
            return .init(word: .unknown, reasons: ["The disks do not say whether they cache."])
        }
        if evidence.asked > 0, evidence.counted == 0 {
            return .init(
                word: .notSent,
                reasons: [
                    "\(evidence.asked) flushes were asked for, and the disk counted none: the file "
                        + "system does not hand them on (mount option 'nobarrier'), or a layer "
                        + "between drops them."
                ]
            )
        }
        guard evidence.isDirect else {
            return .init(
                word: .unknown,
                reasons: [
                    "Writes go through the page cache here: a flush's time is that of the writes."
                ]
            )
        }
        return judge(flush, evidence)
    }

    private static func judge(_ flush: Double, _ evidence: Evidence) -> FlushVerdict {
        let isRotating = evidence.isRotating == true
        let floor = isRotating ? rotatingFloorNanoseconds : flashFloorNanoseconds
        let medium = isRotating ? "a disk that turns" : "flash"
        var reasons = [
            "A flush after 4 KiB takes \(microseconds(flush)); "
                + "\(medium) needs \(microseconds(floor)) at the least."
        ]
        var grows = false
        if let burst = evidence.burstNanoseconds {
            // Emptying a cache takes the longer the more there is in it.
            grows = burst > flush * 3 && burst > floor
            reasons.append(
                "A flush after 16 MiB takes \(microseconds(burst)): "
                    + (grows ? "it grows with what is to be written." : "no trend with its size.")
            )
        }
        if flush >= floor {
            reasons.append("That does not prove that the data were kept: only a power failure can.")
            return .init(word: .honest, reasons: reasons)
        }
        if grows {
            reasons.append("The short one may have found nothing to do.")
            return .init(word: .unknown, reasons: reasons)
        }
        reasons.append(
            "Either the cache is protected (capacitors, a battery), or the host's memory answers, "
                + "or flushes are ignored. Times cannot tell these apart: ask who runs the device."
        )
        return .init(word: .suspiciouslyFast, reasons: reasons)
    }

    private static func microseconds(_ nanoseconds: Double) -> String {
        "\(Int((min(nanoseconds, 1e15) / 1000).rounded())) µs"
    }

    /// The member `flush` of a report.
    public var json: JSONValue {
        ["verdict": .string(word.rawValue), "reasons": .array(reasons.map { .string($0) })]
    }
}
