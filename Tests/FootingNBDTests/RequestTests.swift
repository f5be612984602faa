import Testing

@testable import FootingNBD

/// The rules of requests and the bytes of replies, without a socket.
@Suite struct RequestTests {
    private func rules(
        readOnly: Bool = false,
        session: Session = Session(isStructured: true, hasAllocationContext: true)
    ) -> RequestRules {
        let export = FaultyExport(sizeBytes: 1 << 20, isReadOnly: readOnly)
        return RequestRules(
            offer: Offer(export, maximumPayloadBytes: 32 << 20),
            session: session
        )
    }

    private func parsed(_ bytes: [UInt8]) -> Request? {
        unsafe Request(bytes.span.bytes)
    }

    @Test func parsesWhatItEncodes() throws {
        let request = Request(.writeZeroes, flags: .noHole, cookie: 1 << 60, offset: 5, length: 6)
        let bytes = TestClient.bytes(of: request)
        #expect(bytes.count == Wire.requestBytes)
        #expect(parsed(bytes) == request)
        for index in 0..<4 {
            var broken = bytes
            broken[index] ^= 1
            #expect(parsed(broken) == nil)
        }
    }

    @Test(arguments: [Command.read, .write, .trim, .cache, .writeZeroes, .blockStatus])
    func rangesMustLieWithinTheDisk(_ command: Command) {
        let rules = rules()
        let beyond: WireError = command == .write || command == .writeZeroes ? .noSpace : .invalid
        func refusal(_ offset: UInt64, _ length: UInt32) -> WireError? {
            rules.refusal(of: Request(command, offset: offset, length: length))
        }
        #expect(refusal(0, 512) == nil)
        #expect(refusal((1 << 20) - 512, 512) == nil)
        #expect(refusal((1 << 20) - 512, 1024) == beyond)
        #expect(refusal(1 << 20, 512) == beyond)
        #expect(refusal(UInt64.max - 511, 512) == beyond)
        #expect(refusal(UInt64.max, UInt32.max) != nil)
        #expect(refusal(0, 0) == .invalid)
        #expect(refusal(1, 512) == .invalid)
        #expect(refusal(512, 100) == .invalid)
    }

    @Test func readOnlyDisksRefuseChanges() {
        let rules = rules(readOnly: true)
        for command in [Command.write, .trim, .writeZeroes] {
            #expect(rules.refusal(of: Request(command, length: 512)) == .notPermitted)
        }
        for command in [Command.read, .flush, .cache, .blockStatus] {
            #expect(rules.refusal(of: Request(command, length: 512)) == nil)
        }
    }

    /// Each flag with each command: allowed where the protocol says so, an error elsewhere.
    @Test func flagsBelongToTheirCommands() {
        let commands: [Command] = [
            .read, .write, .disconnect, .flush, .trim, .cache, .writeZeroes, .blockStatus,
        ]
        let allowed: [(CommandFlags, [Command])] = [
            (.forceUnitAccess, commands), (.noHole, [.writeZeroes]), (.dontFragment, [.read]),
            (.requestOne, [.blockStatus]), (.fastZero, [.writeZeroes]),
            (CommandFlags(rawValue: 1 << 5), []), (CommandFlags(rawValue: 1 << 15), []),
        ]
        let rules = rules()
        for (flag, owners) in allowed {
            for command in commands {
                let request = Request(command, flags: flag, length: 512)
                let expected: WireError? = owners.contains(command) ? nil : .invalid
                #expect(rules.refusal(of: request) == expected, "\(command) \(flag.rawValue)")
            }
        }
    }

    @Test func whatWasNotNegotiatedIsRefused() {
        let rules = rules(session: Session())
        #expect(rules.refusal(of: Request(.blockStatus, length: 512)) == .invalid)
        let whole = Request(.read, flags: .dontFragment, length: 512)
        #expect(rules.refusal(of: whole) == .invalid)
        var unknown = Request(.read, length: 512)
        unknown.command = 99
        #expect(rules.refusal(of: unknown) == .invalid)
    }

    @Test func payloadsAreBounded() {
        var rules = rules()
        rules.sizeBytes = 1 << 40
        for command in [Command.read, .write] {
            #expect(rules.refusal(of: Request(command, length: 32 << 20)) == nil)
            #expect(rules.refusal(of: Request(command, length: (32 << 20) + 512)) == .invalid)
        }
        #expect(rules.refusal(of: Request(.trim, length: UInt32.max - 511)) == nil)
    }

    @Test func blockStatusJoinsAndCutsRuns() throws {
        let extents = [
            Extent(lengthBytes: 1024, kind: .data), Extent(lengthBytes: 512, kind: .data),
            Extent(lengthBytes: 0, kind: .zeroes), Extent(lengthBytes: 1 << 40, kind: .hole),
        ]
        let request = Request(.blockStatus, length: 4096)
        let bytes = try #require(Reply.blockStatus(request, extents))
        #expect(
            bytes[20...].elementsEqual([
                0, 0, 0, 1, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 3,
            ])
        )
        let one = Request(.blockStatus, flags: .requestOne, length: 4096)
        #expect(try #require(Reply.blockStatus(one, extents)).count == 32)
        #expect(Reply.blockStatus(request, []) == nil)
    }
}
