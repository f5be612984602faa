import FootingSystem
import Testing

@testable import FootingNBD

/// The negotiation as bytes, without a socket.
@Suite struct HandshakeTests {
    private let offer = Offer(FaultyExport(), maximumPayloadBytes: 32 << 20)

    private func begun(_ flags: [UInt8] = TestClient.flags) -> Handshake {
        var handshake = Handshake(offer: offer, maximumOptionBytes: 8192, maximumOptions: 8)
        var replies: [UInt8] = []
        _ = step(&handshake, flags, &replies)
        return handshake
    }

    private func step(
        _ handshake: inout Handshake,
        _ input: [UInt8],
        _ replies: inout [UInt8]
    ) -> HandshakeOutcome {
        unsafe handshake.step(input.span.bytes, replies: &replies)
    }

    /// The kinds of the replies to one option, and what became of the connection.
    private func ask(
        _ handshake: inout Handshake,
        _ option: UInt32,
        _ data: [UInt8] = []
    ) -> (kinds: [OptionReply?], bytes: [UInt8], outcome: HandshakeOutcome) {
        let input = TestClient.option(option, data)
        var replies: [UInt8] = []
        let outcome = step(&handshake, input, &replies)
        var kinds: [OptionReply?] = []
        var offset = 0
        while offset + 20 <= replies.count {
            let kind: UInt32 = replies.number(at: offset + 12)
            let length: UInt32 = replies.number(at: offset + 16)
            kinds.append(OptionReply(rawValue: kind))
            offset += 20 + Int(length)
        }
        return (kinds, replies, outcome)
    }

    @Test func greetsAsFixedNewstyle() {
        #expect(Handshake.greeting == Array("NBDMAGICIHAVEOPT".utf8) + [0, 3])
    }

    @Test(arguments: [[0, 0, 0, 4], [0x80, 0, 0, 3], [0xff, 0xff, 0xff, 0xff]] as [[UInt8]])
    func closesOnUnknownClientFlags(_ flags: [UInt8]) {
        var handshake = Handshake(offer: offer, maximumOptionBytes: 8192, maximumOptions: 8)
        var replies: [UInt8] = []
        let outcome = step(&handshake, flags, &replies)
        #expect(outcome == .close("unknown client flags"))
    }

    @Test func asksForMoreUntilAnOptionIsComplete() {
        let option = TestClient.option(Option.go.rawValue, TestClient.named("", [0, 0]))
        for count in 0..<option.count {
            var handshake = begun()
            var replies: [UInt8] = []
            let part = Array(option[..<count])
            let outcome = step(&handshake, part, &replies)
            #expect(outcome == .needs(count < 16 ? 16 : option.count))
            #expect(replies.isEmpty)
        }
    }

    @Test func closesOnBadMagicAndOversizedOptions() {
        var handshake = begun()
        var replies: [UInt8] = []
        let garbage = [UInt8](repeating: 0x41, count: 16)
        #expect(
            step(&handshake, garbage, &replies)
                == .close("an option without its magic number")
        )
        var large = TestClient.option(Option.list.rawValue)
        large.replaceSubrange(12..<16, with: [0xff, 0xff, 0xff, 0xff])
        #expect(
            step(&handshake, large, &replies)
                == .close("an option of 4294967295 bytes")
        )
        #expect(replies.count == 20)
    }

    @Test func closesAfterTooManyOptions() {
        var handshake = begun()
        for _ in 0..<8 {
            #expect(ask(&handshake, Option.list.rawValue).kinds == [.server, .acknowledged])
        }
        #expect(ask(&handshake, Option.list.rawValue).outcome == .close("too many options"))
    }

    @Test func answersEveryOption() {
        var handshake = begun()
        #expect(ask(&handshake, 5).kinds == [.unsupported])
        #expect(ask(&handshake, 4).kinds == [.unsupported])
        #expect(ask(&handshake, 11).kinds == [.unsupported])
        #expect(ask(&handshake, 12345).kinds == [.unsupported])
        #expect(ask(&handshake, 3, [1]).kinds == [.invalid])
        #expect(ask(&handshake, 8, [1]).kinds == [.invalid])
        let list = ask(&handshake, 3)
        #expect(list.bytes[20...].starts(with: [0, 0, 0, 4] + Array("diskfor tests".utf8)))
        #expect(ask(&handshake, 2).outcome == .close(Handshake.goodbye))
    }

    /// Who is refused is told so whatever it asks for, and never gets further.
    @Test func refusesInWords() {
        var handshake = Handshake(
            offer: offer,
            maximumOptionBytes: 8192,
            maximumOptions: 8,
            refusal: "too many"
        )
        var replies: [UInt8] = []
        _ = step(&handshake, TestClient.flags, &replies)
        for option in [Option.list, .info, .go, .setMetaContext, .listMetaContext, .peekExport] {
            // Also where its data makes no sense.
            let answer = ask(&handshake, option.rawValue, [1])
            #expect(answer.kinds == [.policy])
            #expect(answer.bytes.suffix(8).elementsEqual("too many".utf8))
        }
        #expect(ask(&handshake, Option.structuredReply.rawValue).kinds == [.acknowledged])
        #expect(ask(&handshake, Option.exportName.rawValue).outcome == .close("too many"))
    }

    @Test func informsAboutTheExport() {
        var handshake = begun()
        let wanted = TestClient.named("disk", [0, 3, 0, 1, 0, 2, 0, 3])
        let answer = ask(&handshake, Option.info.rawValue, wanted)
        #expect(
            answer.kinds == [.information, .information, .information, .information, .acknowledged]
        )
        let block: [UInt8] = [0, 3, 0, 0, 2, 0, 0, 0, 0x10, 0, 2, 0, 0, 0]
        #expect(answer.bytes.dropLast(20).suffix(14).elementsEqual(block))
        #expect(answer.bytes[20..<30].elementsEqual([0, 0, 0, 0, 0, 0, 4, 0, 0, 0]))
        let unknown = ask(&handshake, Option.go.rawValue, TestClient.named("other", [0, 0]))
        #expect(unknown.kinds == [.unknown])
    }

    /// Lengths that lie, one byte too few and one too many.
    @Test(
        arguments: [
            [], [0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 9, 65, 0, 0], [0xff, 0xff, 0xff, 0xff, 0, 0], [0, 0, 0, 0, 0xff, 0xff, 0, 1],
        ] as [[UInt8]]
    )
    func refusesMalformedGo(_ data: [UInt8]) {
        var handshake = begun()
        #expect(ask(&handshake, Option.go.rawValue, data).kinds == [.invalid])
    }

    @Test func selectsContextsOnlyWithStructuredReplies() {
        let query = TestClient.contextQuery(["base:allocation", "qemu:dirty"])
        var handshake = begun()
        #expect(ask(&handshake, 10, query).kinds == [.invalid])
        #expect(ask(&handshake, 9, query).kinds == [.metaContext, .acknowledged])
        #expect(ask(&handshake, 8).kinds == [.acknowledged])
        #expect(ask(&handshake, 10, query).kinds == [.metaContext, .acknowledged])
        #expect(handshake.session.hasAllocationContext)
        #expect(ask(&handshake, 10, TestClient.contextQuery(["base:"])).kinds == [.acknowledged])
        #expect(!handshake.session.hasAllocationContext)
    }

    @Test func contextsHoldForTheirExportOnly() {
        var handshake = begun()
        _ = ask(&handshake, 8)
        _ = ask(&handshake, 10, TestClient.contextQuery(["base:allocation"], name: "disk"))
        let answer = ask(&handshake, 7, TestClient.named("", [0, 0]))
        #expect(answer.outcome == .ready(22, Session(isStructured: true)))
    }

    @Test func listsContexts() {
        var handshake = begun()
        for queries in [[], ["base:"], ["base:allocation"]] {
            let answer = ask(&handshake, 9, TestClient.contextQuery(queries))
            #expect(answer.kinds == [.metaContext, .acknowledged])
        }
        #expect(ask(&handshake, 9, TestClient.contextQuery(["x:"])).kinds == [.acknowledged])
    }

    @Test(
        arguments: [
            [], [0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
            [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, 65], [0, 0, 0, 0, 0, 0, 0, 0, 1],
        ] as [[UInt8]]
    )
    func refusesMalformedQueries(_ data: [UInt8]) {
        var handshake = begun()
        _ = ask(&handshake, 8)
        #expect(ask(&handshake, 10, data).kinds == [.invalid])
    }

    @Test func exportNameGivesSizeAndFlags() {
        for (flags, count) in [
            ([0, 0, 0, 3] as [UInt8], 10), ([0, 0, 0, 1], 134), ([0, 0, 0, 0], 134),
        ] {
            var handshake = begun(flags)
            var replies: [UInt8] = []
            let input = TestClient.option(1, Array("disk".utf8))
            #expect(step(&handshake, input, &replies) == .ready(20, Session()))
            #expect(replies.count == count)
        }
        var handshake = begun()
        #expect(ask(&handshake, 1, [65]).outcome == .close("unknown export"))
    }

    @Test func onlyExportNameIsForOldClients() {
        var handshake = begun([0, 0, 0, 0])
        guard case .close = ask(&handshake, 3).outcome else {
            Issue.record("LIST answered to a client that cannot read the answer")
            return
        }
    }
}
