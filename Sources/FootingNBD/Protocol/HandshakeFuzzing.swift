/// What the fuzzers of `Fuzz/` reach of the handshake.
@_spi(Fuzzing)
public enum HandshakeFuzzing {
    /// Takes bytes through the negotiation, as they arrive piece by piece.
    ///
    /// The process ends where the negotiation asks for more than it may, takes more than there is,
    /// or answers with something that is no option reply.
    ///
    /// - Parameters:
    ///   - export: what is offered.
    ///   - bytes: all that the client says.
    ///   - pieceBytes: how much of it arrives at a time.
    /// - Returns: all that the server answers.
    public static func answers(
        of export: any Export,
        to bytes: UnsafeRawBufferPointer,
        pieceBytes: Int
    ) -> [UInt8] {
        var handshake = Handshake(
            offer: Offer(export, maximumPayloadBytes: 32 << 20),
            maximumOptionBytes: 8 << 10,
            maximumOptions: 64
        )
        let all = unsafe [UInt8](bytes)
        var start = 0
        var end = 0
        var answers: [UInt8] = []
        while true {
            let input = unsafe all.span.bytes.extracting(start..<end)
            switch handshake.step(input, replies: &answers) {
            case .needs(let count):
                precondition(count > end - start, "asks for what is there")
                precondition(count <= handshake.maximumInputBytes, "asks for too much")
                guard end < all.count else { return answers }
                end = min(end + pieceBytes, all.count)
            case .consumed(let count):
                precondition(count > 0 && count <= end - start, "takes what is not there")
                start += count
            case .ready(let count, let session):
                precondition(count > 0 && count <= end - start, "takes what is not there")
                precondition(session.isStructured || !session.hasAllocationContext, "odd session")
                return answers
            case .close:
                return answers
            }
        }
    }
}
