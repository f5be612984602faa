internal import FootingDeployment
internal import FootingHost
internal import FootingNBD
internal import FootingSystem

/// How what a process may take is shared by the disk, its clients and the program.
struct MemoryCeiling: Sendable {
    /// The program's code and threads, and what is not counted elsewhere.
    static let programBytes: UInt64 = 16 << 20
    /// A client's buffers besides its reads: 1.3 MiB, and a write that arrives.
    private static let bufferBytes: UInt64 = 5 << 19
    /// What the reads of a client may take at least: one of the largest that is not in pieces.
    private static let readBytesMin: UInt64 = 1 << 20
    /// What they may take where there is no ceiling.
    private static let readBytesMax = UInt64(Configuration().maximumPendingBytes)

    /// What was asked for.
    let askedBytes: UInt64
    /// What the process may take: that, or a control group's tighter limit.
    let bytes: UInt64
    /// Clients at a time.
    let connections: UInt64

    /// - Parameter limitBytes: the tightest limit of the control groups, if there is one.
    init?(_ limits: ServeLimits, limitBytes: UInt64?) {
        guard let bytes = limits.memoryCeilingBytes else { return nil }
        askedBytes = bytes
        self.bytes = min(bytes, limitBytes ?? bytes)
        connections = UInt64(limits.connections)
    }

    init?(_ limits: ServeLimits, _ detection: Detection) {
        self.init(limits, limitBytes: detection.report.memory.limitBytes.value)
    }

    /// What a client takes whose reads take so much; compressed ones take it twice.
    private static func clientBytes(_ readBytes: UInt64) -> UInt64 { bufferBytes + 2 * readBytes }

    /// What the disk may have at most.
    var budgetBytesMax: UInt64 {
        let rest = Self.programBytes + connections * Self.clientBytes(Self.readBytesMin)
        return bytes > rest ? bytes - rest : 0
    }

    /// What the reads of each client may take beside a disk with this budget.
    ///
    /// - Throws: where there is no room for all of them, with what each part takes.
    func readBytes(besideBudget budget: UInt64) throws(CommandError) -> Int {
        guard budget <= budgetBytesMax else {
            let least = Self.clientBytes(Self.readBytesMin)
            let isTighter = bytes < askedBytes
            let ceiling =
                isTighter
                ? "a control group's limit of \(ByteSize.text(bytes)), below the memory ceiling,"
                : "a memory ceiling of \(ByteSize.text(bytes))"
            let remedy = isTighter ? "raise it" : "raise --memory-ceiling"
            throw CommandError(
                "\(ceiling) is too low for "
                    + "\(ByteSize.text(budget)) of the disk, \(ByteSize.text(least)) for each of "
                    + "\(connections) clients and \(ByteSize.text(Self.programBytes)) of the "
                    + "program: \(remedy), or lower --memory or --connections"
            )
        }
        let each = (bytes - budget - Self.programBytes) / connections
        return Int(min((each - Self.bufferBytes) / 2, Self.readBytesMax))
    }

    /// Who sees to it, for people.
    ///
    /// - Parameter limitBytes: the tightest limit of the control groups, if there is one.
    func keeper(_ limitBytes: UInt64?) -> String {
        guard let limitBytes, limitBytes <= askedBytes else {
            return "kept by budgets alone; a control group with memory.max, as systemd's "
                + "MemoryMax=, or --own-group would see to it"
        }
        return "kept by budgets, and a control group's limit of \(ByteSize.text(limitBytes))"
    }
}
