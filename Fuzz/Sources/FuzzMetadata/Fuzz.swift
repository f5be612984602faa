@_spi(Fuzzing) internal import FootingHost
internal import FuzzSupport

/// A metadata server's answer, whole and in pieces: what is made of it must not depend on how it
/// arrives.
///
/// The first byte is the provider; the second tells whether the rest is all that the server sends,
/// or the body of a proper answer.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    var input = unsafe Input(data, size)
    let provider = Int(input.byte()) % MetadataFuzzing.providerCount
    let isBody = input.byte() & 1 == 1
    var bytes = input.rest(atMost: 128 << 10)
    if isBody {
        let head = "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nContent-Length: \(bytes.count)"
        bytes = Array("\(head)\r\n\r\n".utf8) + bytes
    }
    let whole = MetadataFuzzing.facts(
        from: bytes,
        provider: provider,
        pieceBytes: max(1, bytes.count)
    )
    let pieces = MetadataFuzzing.facts(from: bytes, provider: provider, pieceBytes: 7)
    precondition(whole == pieces, "the facts depend on how the bytes arrive")
    precondition(!whole.isEmpty, "no outcome")
    return 0
}
