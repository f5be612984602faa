public import FootingSystem

/// Leaves written down on another machine; a leaf that is absent is zero.
///
/// The form is `{"format":1,"leaves":{"0x1":{"0":["0x806f8","0x20800","0xfffa3203","0x0"]}}}`:
/// leaf, sub-leaf, then EAX, EBX, ECX and EDX.
public struct RecordedCPUID: CPUIDSource {
    /// Where a recorded tree keeps its leaves: no file of a machine does.
    public static let path = ".cpuid.json"

    private let leaves: [UInt64: CPUIDRegisters]

    /// By leaf in the high and sub-leaf in the low half, as ``HostRecorder/leaves`` has them.
    init(leaves: [UInt64: [UInt32]]) {
        self.leaves = leaves.compactMapValues { CPUIDRegisters($0) }
    }

    /// How many leaves there are.
    var count: Int { leaves.count }

    /// Reads a recording.
    ///
    /// - Returns: nil if it has another format, or a number in it is none.
    public init?(_ document: JSONValue) {
        guard document.member("format") == .integer(1),
            case .object(let entries)? = document.member("leaves")
        else { return nil }
        var leaves: [UInt64: CPUIDRegisters] = [:]
        for (leafText, subleaves) in entries {
            guard let leaf = Self.number(leafText), case .object(let values) = subleaves else {
                return nil
            }
            for (subleafText, registers) in values {
                guard let subleaf = Self.number(subleafText), case .array(let texts) = registers
                else { return nil }
                let words = texts.compactMap { $0.stringValue.flatMap { Self.number($0) } }
                guard words.count == texts.count, let known = CPUIDRegisters(words) else {
                    return nil
                }
                leaves[UInt64(leaf) << 32 | UInt64(subleaf)] = known
            }
        }
        self.leaves = leaves
    }

    /// A number of 32 bits, in hexadecimal behind `0x` and in decimal without.
    private static func number(_ text: String) -> UInt32? {
        guard let digits = text.dropping(prefix: "0x") else { return UInt32(text) }
        return digits.utf8.first == UInt8(ascii: "+") ? nil : UInt32(digits, radix: 16)
    }

    /// The recorded registers, zero if the leaf was not recorded.
    public func registers(leaf: UInt32, subleaf: UInt32) -> CPUIDRegisters? {
        leaves[UInt64(leaf) << 32 | UInt64(subleaf)] ?? .zero
    }

    /// Never absent.
    public var absence: String { "" }

    /// The form that a recorded tree keeps.
    func json() -> JSONValue {
        var entries: [String: [String: JSONValue]] = [:]
        for (key, registers) in leaves where registers != .zero {
            let texts = [registers.eax, registers.ebx, registers.ecx, registers.edx].map {
                JSONValue.string(hexadecimalText(UInt64($0), digits: 8))
            }
            let leaf = hexadecimalText(key >> 32, digits: 8)
            entries[leaf, default: [:]][String(key & 0xffff_ffff)] = .array(texts)
        }
        return ["format": 1, "leaves": JSONValue(entries.mapValues { JSONValue($0) })]
    }
}

/// A source whose every answer a recorder writes down.
struct NotedCPUID: CPUIDSource {
    let source: any CPUIDSource
    let recorder: HostRecorder

    var absence: String { source.absence }

    func registers(leaf: UInt32, subleaf: UInt32) -> CPUIDRegisters? {
        guard let known = source.registers(leaf: leaf, subleaf: subleaf) else { return nil }
        let words = [known.eax, known.ebx, known.ecx, known.edx]
        recorder.note(leaf: leaf, subleaf: subleaf, registers: words)
        return known
    }
}

extension CPUIDRegisters {
    /// Four words; nil for another number of them.
    fileprivate init?(_ words: [UInt32]) {
        guard words.count == 4 else { return nil }
        self.init(eax: words[0], ebx: words[1], ecx: words[2], edx: words[3])
    }
}

extension HostRoot {
    /// The CPUID source that belongs to this root: the processor, or the tree's own recording.
    public func cpuidSource() -> any CPUIDSource {
        let source = ownSource()
        return recorder.map { NotedCPUID(source: source, recorder: $0) } ?? source
    }

    private func ownSource() -> any CPUIDSource {
        if isLive { return LiveCPUID() }
        let path = RecordedCPUID.path
        do throws(Errno) {
            let content = try bytes(path)
            do throws(JSONParseError) {
                return RecordedCPUID(try JSONValue(parsing: content))
                    ?? AbsentCPUID(because: "\(path) is no recording of format 1")
            } catch {
                return AbsentCPUID(because: "\(path): \(error)")
            }
        } catch {
            return AbsentCPUID(because: Self.reason(path, error))
        }
    }
}
