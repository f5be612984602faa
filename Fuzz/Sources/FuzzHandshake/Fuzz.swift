@_spi(Fuzzing) import FootingNBD

private let export = MemoryExport(name: "disk", sizeBytes: 1 << 20)

/// The negotiation, whole and byte by byte: what is answered must not depend on how it arrives.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    let bytes = unsafe UnsafeRawBufferPointer(start: data, count: size)
    let whole = unsafe HandshakeFuzzing.answers(of: export, to: bytes, pieceBytes: max(1, size))
    let pieces = unsafe HandshakeFuzzing.answers(of: export, to: bytes, pieceBytes: 7)
    precondition(whole == pieces, "the answers depend on how the bytes arrive")
    return 0
}
