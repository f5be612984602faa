/// How the disks of a virtual machine are to be tuned, as its annotations say.
public struct TuningRequest: Sendable, Hashable {
    /// A number, or as many as are sensible.
    public enum Amount: Sendable, Hashable {
        /// As many as are sensible.
        case automatic
        /// So many.
        case exactly(Int)
    }

    /// `footing/io-threads`: threads of QEMU that serve disks.
    public var threads: Amount?
    /// `footing/queues`: queues of each virtio-blk disk.
    public var queues: Amount?
    /// `footing/discard`: what becomes of a guest's trims.
    public var discard: String?
    /// `footing/io`: how QEMU reads and writes.
    public var io: String?
    /// `footing/cache`: whether the host's page cache is between.
    public var cache: String?
    /// `footing/numa-node`: the node of the host whose memory is preferred.
    public var node: Int?
    /// `footing/disks`: the disks that are meant, by their names in the manifest; nil for all.
    public var disks: [String]?

    /// Nothing is to be tuned.
    public init() {}

    /// Whether anything is to be tuned.
    public var isEmpty: Bool {
        threads == nil && queues == nil && discard == nil && io == nil && cache == nil
            && node == nil
    }

    /// The annotations that Footing knows, and what each may say.
    public static let annotations: [(name: String, values: String)] = [
        ("footing/io-threads", "auto, or 1 to 16"),
        ("footing/queues", "auto, or 1 to 64"),
        ("footing/discard", "unmap or ignore"),
        ("footing/io", "native, io_uring or threads"),
        ("footing/cache", "none, writethrough, writeback or directsync"),
        ("footing/numa-node", "the number of a node"),
        ("footing/disks", "names of disks with commas between"),
    ]

    /// Reads annotations; what makes no sense is left out and reported.
    public static func read(
        _ annotations: [String: String]
    ) -> (request: TuningRequest, findings: [Finding]) {
        var request = TuningRequest()
        var findings: [Finding] = []
        for (name, text) in annotations.sorted(by: { $0.key < $1.key })
        where name.hasPrefix("footing/") {
            guard let known = Self.annotations.first(where: { $0.name == name }) else {
                findings.append(
                    Finding(
                        .annotation,
                        "the annotation \(name) is not known",
                        remedy: "use one of "
                            + Self.annotations.map(\.name).joined(separator: ", ")
                    )
                )
                continue
            }
            if !request.take(name, text) {
                findings.append(
                    Finding(
                        .annotation,
                        "the annotation \(name) says '\(text)'",
                        remedy: "use \(known.values)"
                    )
                )
            }
        }
        return (request, findings)
    }

    private mutating func take(_ name: String, _ text: String) -> Bool {
        switch name {
        case "footing/io-threads":
            threads = Self.amount(text, 1...16)
            return threads != nil
        case "footing/queues":
            queues = Self.amount(text, 1...64)
            return queues != nil
        case "footing/discard":
            discard = Self.choice(text, ["unmap", "ignore"])
            return discard != nil
        case "footing/io":
            io = Self.choice(text, ["native", "io_uring", "threads"])
            return io != nil
        case "footing/cache":
            cache = Self.choice(text, ["none", "writethrough", "writeback", "directsync"])
            return cache != nil
        case "footing/numa-node":
            node = Int(text).flatMap { (0...1023).contains($0) ? $0 : nil }
            return node != nil
        default:
            let names = text.split(separator: ",").map { Self.trimmed($0) }
            disks = names
            return !names.isEmpty && names.allSatisfy { !$0.isEmpty }
        }
    }

    private static func amount(_ text: String, _ range: ClosedRange<Int>) -> Amount? {
        if text == "auto" { return .automatic }
        guard let number = Int(text), range.contains(number) else { return nil }
        return .exactly(number)
    }

    private static func choice(_ text: String, _ choices: [String]) -> String? {
        choices.contains(text) ? text : nil
    }

    private static func trimmed(_ text: Substring) -> String {
        let front = text.drop { $0 == " " }
        var end = front.endIndex
        while end > front.startIndex, front[front.index(before: end)] == " " {
            end = front.index(before: end)
        }
        return String(front[..<end])
    }
}
