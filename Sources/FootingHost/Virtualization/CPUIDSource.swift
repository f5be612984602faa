internal import CFooting

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
