import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingAcceleration

/// Slots with a cheap passphrase, and the key behind them.
final class SlotsFixture {
    var slots: KeySlots
    let key: VolumeKey
    var generator: SeededRandom

    static let cheap = ScryptCost(logarithmOfN: 4, r: 1, p: 1)

    init() throws {
        var generator = SeededRandom(seed: 77)
        key = try VolumeKey(using: &generator)
        slots = KeySlots(volume: Identifier(using: &generator))
        self.generator = generator
        try add(.passphrase("first"), "one")
    }

    func add(_ credential: consuming Credential, _ label: String) throws {
        try slots.add(
            credential,
            key: key,
            label: label,
            cost: Self.cheap,
            nowSeconds: 1_800_000_000,
            using: &generator
        )
    }

    /// Whether a credential opens slots, and with the right key.
    func opens(_ slots: KeySlots, _ credential: consuming Credential) throws -> Int {
        let opened = try slots.unlock(credential)
        let isSame = SecretBytes.areEqual(opened.key.secret, key.secret)
        #expect(isSame)
        return opened.slot
    }
}

extension Credential {
    static func passphrase(_ text: String) throws -> Credential {
        try .passphrase(try makeSecret(Array(text.utf8)))
    }
}

@Suite struct KeySlotsTests {
    @Test func `a slot opens with its passphrase or key file only`() throws {
        let fixture = try SlotsFixture()
        try fixture.add(.keyFile(try makeSecret(Shapes.random(64, seed: 8))), "file")
        let again = try KeySlots(parsing: fixture.slots.bytes)
        #expect(again == fixture.slots)
        #expect(try fixture.opens(again, .passphrase("first")) == 0)
        #expect(try fixture.opens(again, .keyFile(try makeSecret(Shapes.random(64, seed: 8)))) == 1)
        for wrong in ["First", "first ", "firs", "firstx", "\u{0}"] {
            #expect(throws: KeyError.wrongKey) {
                _ = try fixture.slots.unlock(try .passphrase(wrong))
            }
        }
        #expect(throws: KeyError.wrongKey) {
            _ = try fixture.slots.unlock(.keyFile(try makeSecret(Shapes.random(65, seed: 8))))
        }
        // The same bytes as the other kind are another key.
        #expect(throws: KeyError.wrongKey) {
            _ = try fixture.slots.unlock(.passphrase(try makeSecret(Shapes.random(64, seed: 8))))
        }
    }

    @Test func `eight fit, and the block holds no secret`() throws {
        let fixture = try SlotsFixture()
        for index in 1..<8 { try fixture.add(.passphrase("number \(index)"), "label \(index)") }
        #expect(throws: KeyError.noFreeSlot) { try fixture.add(.passphrase("more"), "") }
        let block = fixture.slots.bytes
        #expect(block.count == 4096)
        let again = try KeySlots(parsing: block)
        for index in 1..<8 {
            #expect(try fixture.opens(again, .passphrase("number \(index)")) == index)
            #expect(again.slots[index]?.label == "label \(index)")
            #expect(again.slots[index]?.createdSeconds == 1_800_000_000)
        }
        let plain = unsafe fixture.key.secret.withBytes { unsafe Array($0) }
        for start in 0...block.count - 32 { #expect(Array(block[start..<start + 32]) != plain) }
    }

    @Test func `removing and replacing slots`() throws {
        let fixture = try SlotsFixture()
        #expect(throws: KeyError.lastSlot) { try fixture.slots.remove(0, key: fixture.key) }
        try fixture.add(.passphrase("second"), "two")
        let before = fixture.slots
        try fixture.slots.remove(0, key: fixture.key)
        #expect(fixture.slots.generation == before.generation + 1)
        #expect(throws: KeyError.wrongKey) {
            _ = try fixture.slots.unlock(try .passphrase("first"))
        }
        for index in [-1, 0, 7, 8] {
            #expect(throws: KeyError.noSuchSlot(index)) {
                try fixture.slots.remove(index, key: fixture.key)
            }
        }
        try fixture.slots.replace(
            1,
            with: try .passphrase("third"),
            key: fixture.key,
            cost: SlotsFixture.cheap,
            nowSeconds: 1_900_000_000,
            using: &fixture.generator
        )
        #expect(throws: KeyError.wrongKey) {
            _ = try fixture.slots.unlock(try .passphrase("second"))
        }
        #expect(try fixture.opens(fixture.slots, .passphrase("third")) == 1)
        #expect(fixture.slots.slots[1]?.label == "two")
        // The slot that became free is used again.
        try fixture.add(.passphrase("fourth"), "four")
        #expect(try fixture.opens(fixture.slots, .passphrase("fourth")) == 0)
    }

    @Test func `every changed byte is found by the sum`() throws {
        let fixture = try SlotsFixture()
        let block = fixture.slots.bytes
        for index in block.indices {
            var changed = block
            changed[index] ^= UInt8(1 << (index % 8))
            #expect(throws: KeyError.self, "byte \(index)") { try KeySlots(parsing: changed) }
        }
        for count in [0, 1, 4095, 4097] {
            let cut = Array((block + block).prefix(count))
            #expect(throws: KeyError.notKeySlots) { try KeySlots(parsing: cut) }
        }
    }

    @Test func `every changed byte with a right sum is found by the right passphrase`() throws {
        let fixture = try SlotsFixture()
        try fixture.add(.passphrase("second"), "two")
        let block = fixture.slots.bytes
        var kinds: [String: Int] = [:]
        for index in 0..<KeySlots.sumOffset {
            var changed = block
            changed[index] ^= UInt8(1 << (index % 8))
            changed.mendSum()
            do {
                let slots = try KeySlots(parsing: changed)
                _ = try slots.unlock(try .passphrase("first"))
                Issue.record("byte \(index) does not matter")
            } catch let error as KeyError {
                switch error {
                case .wrongKey: kinds["wrong", default: 0] += 1
                case .tampered: kinds["tampered", default: 0] += 1
                case .tooCostly: kinds["costly", default: 0] += 1
                default: kinds["parse", default: 0] += 1
                }
            }
        }
        // The slot itself, the other slot and the header, high costs, and what must be zero.
        #expect(kinds["wrong", default: 0] > 100)
        #expect(kinds["tampered", default: 0] > 150)
        #expect(kinds["parse", default: 0] > 3000)
    }

    @Test func `a slot that asks for too much is not tried, and hides no other`() throws {
        let fixture = try SlotsFixture()
        try fixture.add(.passphrase("second"), "two")
        var block = fixture.slots.bytes
        // N of the first slot becomes 2^40: eight terabytes for r = 8.
        block[64 + 1] = 40
        block[64 + 4] = 8
        block.mendSum()
        let slots = try KeySlots(parsing: block)
        let limitBytes = ScryptLimit().memoryBytes
        #expect(
            throws: KeyError.tooCostly(memoryBytes: (1 << 50) + 1024, limitBytes: limitBytes)
        ) {
            _ = try slots.unlock(try .passphrase("first"))
        }
        // It opens; only the block is not what the owner wrote.
        #expect(throws: KeyError.tampered) {
            _ = try slots.unlock(try .passphrase("second"))
        }
        #expect(throws: KeyError.tooCostly(memoryBytes: 128 * 16 + 128, limitBytes: 1024)) {
            _ = try fixture.slots.unlock(
                try .passphrase("first"),
                limit: ScryptLimit(memoryBytes: 1024)
            )
        }
    }

    @Test func `a slot that asks for more than can be had says how much`() throws {
        let slot = KeyError.tooCostly(memoryBytes: 128 << 20, limitBytes: 60 << 20).description
        #expect(slot.contains("takes 128 MiB of memory"))
        #expect(slot.contains("no more than 60 MiB can be had"))
        let time = KeyError.tooCostly(memoryBytes: 1 << 20, limitBytes: 60 << 20).description
        #expect(time.contains("more time"))
        let limit = ScryptLimit()
        #expect(limit.bounded(memoryBytes: 60 << 20).memoryBytes == 60 << 20)
        #expect(limit.bounded(memoryBytes: .max) == limit)
        #expect(!limit.bounded(memoryBytes: 60 << 20).allows(.standard))
        let small = ScryptCost.fitting(memoryBytes: 60 << 20)
        #expect(limit.bounded(memoryBytes: 60 << 20).allows(small))
    }

    @Test func `a slot without memory hides no other`() throws {
        // Its allocator ends the process that asks for so much.
        if Sanitizer.isOn { return }
        let fixture = try SlotsFixture()
        try fixture.add(.passphrase("second"), "two")
        var block = fixture.slots.bytes
        // A petabyte: no machine has it.
        block[64 + 1] = 40
        block[64 + 4] = 8
        block.mendSum()
        let slots = try KeySlots(parsing: block)
        let limit = ScryptLimit(memoryBytes: .max, work: .max)
        #expect(throws: KeyError.tampered) {
            _ = try slots.unlock(try .passphrase("second"), limit: limit)
        }
        for text in ["first", "third"] {
            let error = #expect(throws: KeyError.self) {
                _ = try slots.unlock(try .passphrase(text), limit: limit)
            }
            guard case .unavailable(let reason) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(reason.contains("takes 1073741824 MiB of memory"))
        }
    }

    @Test func `a cost that scrypt does not know is damage`() throws {
        let block = try SlotsFixture().slots.bytes
        for (logarithm, r, p) in [(0, 1, 1), (16, 1, 1), (40, 1, 1), (4, 0, 1), (4, 1, 0)] {
            var changed = block
            changed[64 + 1] = UInt8(logarithm)
            changed[64 + 4] = UInt8(r)
            changed[64 + 8] = UInt8(p)
            changed.mendSum()
            #expect(throws: KeyError.damaged("slot 0 has a cost that scrypt does not know")) {
                try KeySlots(parsing: changed)
            }
        }
    }

    @Test func `a generation that cannot be is damage`() throws {
        let block = try SlotsFixture().slots.bytes
        for generation in [UInt64.max, .max - 1, 1 << 62] as [UInt64] {
            var changed = block
            changed.put(generation, at: 32)
            changed.mendSum()
            #expect(throws: KeyError.damaged("they were changed \(generation) times")) {
                try KeySlots(parsing: changed)
            }
        }
        var last = block
        last.put((UInt64(1) << 62) - 1, at: 32)
        last.mendSum()
        var slots = try KeySlots(parsing: last)
        var random = SeededRandom(seed: 1)
        let key = try VolumeKey(using: &random)
        #expect(throws: KeyError.unusable("the key slots were changed too often")) {
            try slots.add(
                try .passphrase("x"),
                key: key,
                cost: SlotsFixture.cheap,
                nowSeconds: 1,
                using: &random
            )
        }
    }

    @Test func `weak credentials are refused`() throws {
        #expect(throws: KeyError.unusable("an empty passphrase protects nothing")) {
            _ = try Credential.passphrase("")
        }
        #expect(throws: KeyError.unusable("a key file of 31 bytes, 32 at least")) {
            _ = try Credential.keyFile(try makeSecret([UInt8](repeating: 1, count: 31)))
        }
    }

    @Test func `a long label is cut between characters`() throws {
        let fixture = try SlotsFixture()
        try fixture.add(.passphrase("x"), String(repeating: "é", count: 40))
        #expect(fixture.slots.slots[1]?.label == String(repeating: "é", count: 32))
        #expect(try KeySlots(parsing: fixture.slots.bytes) == fixture.slots)
    }

    @Test func `random blocks are refused without a crash`() {
        var random = SeededRandom(seed: 9)
        for round in 0..<2000 {
            var block = Shapes.random(4096, seed: UInt64(round))
            block.replaceSubrange(0..<8, with: KeySlots.magic)
            block.put(UInt32(random.below(3)), at: 8)
            if random.oneIn(2) { block.replaceSubrange(12..<16, with: [0, 0, 0, 0]) }
            block.mendSum()
            #expect(throws: KeyError.self) { try KeySlots(parsing: block) }
        }
    }
}

extension [UInt8] {
    /// Makes the checksum at the end of a block of key slots right.
    mutating func mendSum() {
        let sum = unsafe withUnsafeBytes {
            unsafe Checksum.crc32c(UnsafeRawBufferPointer(rebasing: $0[..<KeySlots.sumOffset]))
        }
        put(sum, at: KeySlots.sumOffset)
    }
}
