internal import CFooting
public import FootingSystem

/// The four registers one CPUID leaf fills.
public struct CPUIDRegisters: Sendable, Equatable {
    /// Register EAX.
    public let eax: UInt32
    /// Register EBX.
    public let ebx: UInt32
    /// Register ECX.
    public let ecx: UInt32
    /// Register EDX.
    public let edx: UInt32

    /// Four register values.
    public init(eax: UInt32, ebx: UInt32, ecx: UInt32, edx: UInt32) {
        self.eax = eax
        self.ebx = ebx
        self.ecx = ecx
        self.edx = edx
    }

    /// What a leaf that was not recorded holds.
    public static let zero = CPUIDRegisters(eax: 0, ebx: 0, ecx: 0, edx: 0)

    /// The twelve bytes of EBX, ECX and EDX: how hypervisors sign.
    public var signature: [UInt8] { Self.bytes(ebx, ecx, edx) }

    /// The twelve bytes of EBX, EDX and ECX: how processors sign in leaf 0.
    public var vendor: [UInt8] { Self.bytes(ebx, edx, ecx) }

    private static func bytes(_ first: UInt32, _ second: UInt32, _ third: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(12)
        for byte in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: first >> (byte * 8))) }
        for byte in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: second >> (byte * 8))) }
        for byte in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: third >> (byte * 8))) }
        return bytes
    }
}

/// Where CPUID leaves come from: the processor, a recording, or nowhere.
public protocol CPUIDSource: Sendable {
    /// The registers of a leaf; nil if this machine has no such instruction.
    ///
    /// The caller bounds the leaf by the maximum that the range's first leaf reports.
    func registers(leaf: UInt32, subleaf: UInt32) -> CPUIDRegisters?

    /// Why ``registers(leaf:subleaf:)`` returns nil, where it does.
    var absence: String { get }
}

/// The processor this program runs on (`CPUID`, x86-64 only).
public struct LiveCPUID: CPUIDSource {
    /// The live source.
    public init() {}

    /// Executes the instruction.
    public func registers(leaf: UInt32, subleaf: UInt32) -> CPUIDRegisters? {
        var words: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
        let result = unsafe withUnsafeMutableBytes(of: &words) { buffer in
            unsafe footing_cpuid(
                leaf,
                subleaf,
                buffer.baseAddress?.assumingMemoryBound(to: UInt32.self)
            )
        }
        guard result == 0 else { return nil }
        return CPUIDRegisters(eax: words.0, ebx: words.1, ecx: words.2, edx: words.3)
    }

    /// Only x86 has the instruction.
    public var absence: String { "this processor has no CPUID instruction" }
}

/// No CPUID at all: another architecture, or a recording without it.
public struct AbsentCPUID: CPUIDSource {
    /// Why.
    public let absence: String

    /// A source that has nothing, and says why.
    public init(because reason: String) {
        absence = reason
    }

    /// Always nil.
    public func registers(leaf: UInt32, subleaf: UInt32) -> CPUIDRegisters? { nil }
}

/// Leaves written down on another machine; a leaf that is absent is zero.
///
/// The form is what `cpuid -1 -r` prints, one leaf a line:
/// `0x00000001 0x00: eax=0x000806f8 ebx=0x00020800 ecx=0xfffa3203 edx=0x1f8bfbff`.
/// Lines without a leaf are ignored; of several processors only the first is read.
public struct RecordedCPUID: CPUIDSource {
    /// Where a recorded tree keeps its leaves.
    public static let path = "cpuid"

    private let leaves: [UInt64: CPUIDRegisters]

    /// Reads a recording.
    public init(text: String) {
        var leaves: [UInt64: CPUIDRegisters] = [:]
        for line in lines(text) {
            let words = line.utf8.split { $0 == 32 || $0 == 9 || $0 == UInt8(ascii: ":") }
                .map { String(Substring($0)) }
            guard words.count == 6, let leaf = hexadecimal(words[0]),
                let subleaf = hexadecimal(words[1]),
                let eax = Self.register("eax=", words[2]),
                let ebx = Self.register("ebx=", words[3]),
                let ecx = Self.register("ecx=", words[4]),
                let edx = Self.register("edx=", words[5]),
                leaf <= UInt64(UInt32.max), subleaf <= UInt64(UInt32.max)
            else { continue }
            let key = leaf << 32 | subleaf
            if leaves[key] == nil {
                leaves[key] = CPUIDRegisters(eax: eax, ebx: ebx, ecx: ecx, edx: edx)
            }
        }
        self.leaves = leaves
    }

    private static func register(_ prefix: String, _ word: String) -> UInt32? {
        word.dropping(prefix: prefix).flatMap { hexadecimal($0) }.flatMap { UInt32(exactly: $0) }
    }

    /// The recorded registers, zero if the leaf was not recorded.
    public func registers(leaf: UInt32, subleaf: UInt32) -> CPUIDRegisters? {
        leaves[UInt64(leaf) << 32 | UInt64(subleaf)] ?? .zero
    }

    /// Never absent.
    public var absence: String { "" }
}

extension HostRoot {
    /// The CPUID source that belongs to this root: the processor, or the tree's own recording.
    public func cpuidSource() -> any CPUIDSource {
        if isLive { return LiveCPUID() }
        do throws(Errno) {
            return RecordedCPUID(text: try text(RecordedCPUID.path))
        } catch {
            return AbsentCPUID(because: "the recorded tree has no file \(RecordedCPUID.path)")
        }
    }
}
