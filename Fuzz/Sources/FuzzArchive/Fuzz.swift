@_spi(Fuzzing) internal import FootingHost
internal import FootingSystem
internal import FuzzSupport

/// A recording that somebody made; what is accepted is looked at as a machine.
///
/// It is given as a file, or unpacked already with every header's sum made right, so that what is
/// behind the sums is reached.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    var input = unsafe Input(data, size)
    let isPacked = input.byte() & 1 == 1
    var bytes = input.rest(atMost: 256 << 10)
    let machine: RecordedMachine
    do throws(ArchiveError) {
        if isPacked {
            machine = try MachineRecording.machine(in: bytes, path: "fuzz")
        } else {
            mendSums(&bytes)
            machine = try MachineRecording.machine(unpacked: bytes, path: "fuzz")
        }
    } catch {
        precondition(!error.description.isEmpty, "an error without a reason")
        return 0
    }
    let report = HostReport.gather(root: machine.root, path: machine.path)
    precondition(!report.text().isEmpty, "no report")
    return 0
}

/// Sets the checksum of each block that would be a header, were it one.
private func mendSums(_ bytes: inout [UInt8]) {
    let block = 512
    for start in stride(from: 0, to: bytes.count - block + 1, by: block) {
        let header = bytes[start..<start + block]
        guard header[start + 257..<start + 262].elementsEqual("ustar".utf8) else { continue }
        var sum = 0
        for (offset, byte) in header.enumerated() {
            sum += (148..<156).contains(offset) ? 32 : Int(byte)
        }
        let digits = String(sum, radix: 8)
        let text = String(repeating: "0", count: 6 - digits.utf8.count) + digits + "\u{0} "
        for (offset, byte) in text.utf8.enumerated() { bytes[start + 148 + offset] = byte }
    }
}
