/// What CPUID tells of the processor and of a hypervisor.
struct CPUIDFacts: Sendable {
    /// A signature found in the hypervisor's range.
    struct Signature: Sendable {
        let leaf: UInt32
        let maximum: UInt32
        let bytes: [UInt8]
        let kind: HypervisorKind?

        var isEmpty: Bool { bytes.allSatisfy { $0 == 0 } }
        var text: String { printable(bytes) }
        var source: String { "cpuid \(hexadecimalText(UInt64(leaf)))" }
    }

    /// The processor's vendor, as in `GenuineIntel`; nil without CPUID.
    var vendor: String?
    /// The processor's name; nil without CPUID or where it has none.
    var model: String?
    /// Leaf 1, ECX bit 31: a hypervisor says that it is there; nil without CPUID.
    var hypervisorBit: Bool?
    /// Leaf 1; nil without CPUID.
    var basic: CPUIDRegisters?
    /// Leaf 7; zero where the processor has none.
    var extended = CPUIDRegisters.zero
    /// The highest leaf of the basic range, and of the extended one at 0x80000000.
    var maximum: (basic: UInt32, extended: UInt32) = (0, 0)
    /// Signatures from the lowest leaf up; empty unless the bit is set.
    var signatures: [Signature] = []
    /// An emulator of x86 instructions that gives itself away in leaf 0.
    var emulator: HypervisorKind?
    /// Whether this is an Intel TDX guest (leaf 0x21).
    var isTrustDomain = false
    /// Hyper-V's privileges are those of the partition that owns the machine.
    var isHyperVRoot = false
    /// ACRN's privileges are those of the virtual machine that owns the machine's devices.
    var isACRNService = false
    /// Somebody unknown or Hyper-V signs, and Hyper-V's interface is offered: whoever offers it may
    /// sign as it likes.
    var offersHyperV = false
    /// Hyper-V's and Xen's versions, as `major.minor`.
    var versions: [HypervisorKind: String] = [:]
    /// Why there is nothing, if so.
    var absence: String?

    /// `Hv#1`, by which TLFS 2.4 tells that the leaves above are Hyper-V's, whoever signs.
    private static let microsoftInterface: UInt32 = 0x3123_7648

    init(_ source: any CPUIDSource) {
        guard let zero = source.registers(leaf: 0, subleaf: 0) else {
            absence = source.absence
            return
        }
        let vendorBytes = zero.vendor
        vendor = printable(vendorBytes)
        basic = source.registers(leaf: 1, subleaf: 0)
        hypervisorBit = basic.map { $0.ecx >> 31 == 1 } ?? false
        if hypervisorBit == true, let basic, Self.isStale(basic, source) { hypervisorBit = false }
        if zero.eax >= 7 { extended = source.registers(leaf: 7, subleaf: 0) ?? .zero }
        emulator =
            HypervisorSignature.emulatedProcessors.first {
                vendorBytes.elementsEqual($0.text.utf8)
            }?.kind
        if zero.eax >= 0x21, hypervisorBit == true,
            let leaf = source.registers(leaf: 0x21, subleaf: 0)
        {
            isTrustDomain = leaf.vendor.elementsEqual("IntelTDX    ".utf8)
        }
        let top = source.registers(leaf: 0x8000_0000, subleaf: 0)?.eax ?? 0
        maximum = (zero.eax, top)
        model = top >= 0x8000_0004 ? Self.model(source) : nil
        if hypervisorBit == true {
            signatures = Self.scan(source)
            readDetails(source)
        }
    }

    /// Whether ECX holds what was in it before: processors older than SSE2 (EDX bit 26; bit 0 is
    /// their arithmetic) write nothing to it, and whoever runs guests with such a model signs.
    private static func isStale(_ basic: CPUIDRegisters, _ source: any CPUIDSource) -> Bool {
        guard basic.edx & 1 == 1, basic.edx >> 26 & 1 == 0 else { return false }
        let signature = source.registers(leaf: 0x4000_0000, subleaf: 0)?.signature ?? []
        return signature.allSatisfy { $0 == 0 }
    }

    /// Looks through the hypervisor's range until someone signs who is not standing in for Hyper-V.
    ///
    /// Leaves above a range's maximum echo other leaves on some machines (QEMU's TCG repeats the
    /// highest basic one), so a range counts only if its maximum lies within it. A maximum of 0 is
    /// what KVM before 3.9 reports; above the first range it counts with a known signature only.
    private static func scan(_ source: any CPUIDSource) -> [Signature] {
        var found: [Signature] = []
        for leaf in stride(from: UInt32(0x4000_0000), through: 0x4001_0000, by: 0x100) {
            guard let registers = source.registers(leaf: leaf, subleaf: 0) else { break }
            let isFirst = leaf == 0x4000_0000
            let isWithin = registers.eax >= leaf && registers.eax - leaf < 0x100
            guard isWithin || registers.eax == 0 || (isFirst && registers.eax >= leaf) else {
                continue
            }
            let bytes = registers.signature
            let kind = HypervisorSignature.kind(bytes)
            if registers.eax == 0, !isFirst, kind == nil { continue }
            let signature = Signature(
                leaf: leaf,
                maximum: registers.eax,
                bytes: bytes,
                kind: kind
            )
            if signature.isEmpty, !isFirst { continue }
            found.append(signature)
            if let kind = signature.kind, kind != .hyperv { break }
        }
        return found
    }

    private mutating func readDetails(_ source: any CPUIDSource) {
        for signature in signatures {
            if signature.kind == nil || signature.kind == .hyperv,
                signature.maximum > signature.leaf
            {
                let interface = source.registers(leaf: signature.leaf + 1, subleaf: 0)
                if interface?.eax == Self.microsoftInterface { offersHyperV = true }
            }
            switch signature.kind {
            case HypervisorKind.hyperv where signature.maximum >= signature.leaf + 3:
                // TLFS 2.4: HV_PARTITION_PRIVILEGE_MASK, high half; the root partition may create
                // partitions (bit 0) and manage processors (bit 12).
                let interface = source.registers(leaf: signature.leaf + 1, subleaf: 0)
                let privileges = source.registers(leaf: signature.leaf + 3, subleaf: 0)
                let isMicrosoft = interface?.eax == Self.microsoftInterface
                isHyperVRoot = isMicrosoft && (privileges?.ebx ?? 0) & 0x1001 == 0x1001
                if let words = source.registers(leaf: signature.leaf + 2, subleaf: 0),
                    words.ebx != 0
                {
                    versions[.hyperv] = "\(words.ebx >> 16).\(words.ebx & 0xffff)"
                }
            case HypervisorKind.xen where signature.maximum > signature.leaf:
                if let words = source.registers(leaf: signature.leaf + 1, subleaf: 0),
                    words.eax != 0
                {
                    versions[.xen] = "\(words.eax >> 16).\(words.eax & 0xffff)"
                }
            case HypervisorKind.acrn where signature.maximum > signature.leaf:
                // ACRN_FEATURE_PRIVILEGED_VM of arch/x86/include/asm/acrn.h.
                let features = source.registers(leaf: signature.leaf + 1, subleaf: 0)
                isACRNService = (features?.eax ?? 0) & 1 != 0
            default: break
            }
        }
    }

    private static func model(_ source: any CPUIDSource) -> String? {
        var bytes: [UInt8] = []
        for leaf in UInt32(0x8000_0002)...0x8000_0004 {
            guard let words = source.registers(leaf: leaf, subleaf: 0) else { return nil }
            let first = words.eax
            for byte in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: first >> (byte * 8))) }
            bytes += words.signature
        }
        let text = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self).trimmed
        return text.isEmpty ? nil : text
    }
}

/// Bytes as text, NULs at the end left out and anything unprintable shown as a dot.
func printable(_ bytes: [UInt8]) -> String {
    let end = bytes.lastIndex { $0 != 0 }.map { $0 + 1 } ?? 0
    return String(
        decoding: bytes[..<end].map { (32..<127).contains($0) ? $0 : UInt8(ascii: ".") },
        as: UTF8.self
    )
}
