import FootingSystem
import Testing

@testable import FootingAcceleration

@Suite struct KeyDerivationTests {
    struct ScryptVector: Sendable {
        let passphrase: String
        let salt: String
        let cost: ScryptCost
        let result: String
    }

    /// RFC 7914, section 12; without the one that takes a gigabyte.
    static let scrypts = [
        ScryptVector(
            passphrase: "",
            salt: "",
            cost: ScryptCost(logarithmOfN: 4, r: 1, p: 1),
            result: "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
                + "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"
        ),
        ScryptVector(
            passphrase: "password",
            salt: "NaCl",
            cost: ScryptCost(logarithmOfN: 10, r: 8, p: 16),
            result: "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
                + "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
        ),
        ScryptVector(
            passphrase: "pleaseletmein",
            salt: "SodiumChloride",
            cost: ScryptCost(logarithmOfN: 14, r: 8, p: 1),
            result: "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
                + "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
        ),
    ]

    @Test(arguments: scrypts)
    func `scrypt gives the published keys`(vector: ScryptVector) throws {
        let key = try KeyDerivation.scrypt(
            try makeSecret(Array(vector.passphrase.utf8)),
            salt: Array(vector.salt.utf8),
            cost: vector.cost,
            count: 64
        )
        #expect(unsafe key.withBytes { unsafe Array($0) } == bytes(vector.result))
    }

    struct ExpansionVector: Sendable {
        let material: [UInt8]
        let salt: [UInt8]
        let purpose: [UInt8]
        let result: String
    }

    /// RFC 5869, appendix A, those with SHA-256.
    static let expansions = [
        ExpansionVector(
            material: [UInt8](repeating: 0x0b, count: 22),
            salt: [UInt8](0...0x0c),
            purpose: [UInt8](0xf0...0xf9),
            result: "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                + "34007208d5b887185865"
        ),
        ExpansionVector(
            material: [UInt8](0...0x4f),
            salt: [UInt8](0x60...0xaf),
            purpose: [UInt8](0xb0...0xff),
            result: "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
                + "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
                + "cc30c58179ec3e87c14c01d5c1f3434f1d87"
        ),
        ExpansionVector(
            material: [UInt8](repeating: 0x0b, count: 22),
            salt: [],
            purpose: [],
            result: "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
                + "9d201395faa4b61a96c8"
        ),
    ]

    @Test(arguments: expansions)
    func `HKDF gives the published keys`(vector: ExpansionVector) throws {
        let expected = bytes(vector.result)
        let key = try KeyDerivation.expand(
            try makeSecret(vector.material),
            salt: vector.salt,
            purpose: vector.purpose,
            count: expected.count
        )
        #expect(unsafe key.withBytes { unsafe Array($0) } == expected)
    }

    @Test func `equally strong costs take less and less memory`() {
        #expect(ScryptCost.standard.memoryBytes ?? 0 >> 20 >= 128)
        for mebibytes: UInt64 in [16, 40, 80, 160, 4096] {
            let cost = ScryptCost.fitting(memoryBytes: mebibytes << 20)
            #expect(ScryptLimit().allows(cost))
            if mebibytes > 16 { #expect(cost.memoryBytes ?? .max <= mebibytes << 20) }
        }
        #expect(ScryptCost.fitting(memoryBytes: .max) == .standard)
        #expect(ScryptCost.fitting(memoryBytes: 0).memoryBytes ?? .max < 17 << 20)
    }

    @Test func `costs beyond the limit are refused, also where their product overflows`() {
        let limit = ScryptLimit()
        let refused: [(UInt8, UInt32, UInt32)] = [
            (0, 8, 1), (17, 0, 1), (17, 8, 0), (20, 8, 1), (17, 8, 16), (63, 8, 1), (64, 8, 1),
            (255, 8, 1), (49, .max, .max), (1, .max, 1), (1, 1, .max), (10, 1 << 20, 1 << 20),
            (10, 8, 1 << 19), (16, 1, 1), (17, 1, 1),
        ]
        for (logarithm, r, p) in refused {
            #expect(!limit.allows(ScryptCost(logarithmOfN: logarithm, r: r, p: p)))
        }
        #expect(limit.allows(.standard))
        #expect(limit.allows(ScryptCost(logarithmOfN: 15, r: 1, p: 1)))
        #expect(ScryptCost(logarithmOfN: 1, r: .max, p: .max).memoryBytes == nil)
        #expect(ScryptCost(logarithmOfN: 49, r: .max, p: 1).memoryBytes == nil)
        #expect(limit.allows(ScryptCost(logarithmOfN: 18, r: 8, p: 4)))
    }

    @Test func `purposes and volumes have keys of their own`() throws {
        var generator = SeededRandom(seed: 3)
        let key = try VolumeKey(using: &generator)
        let volumes = [Identifier(using: &generator), Identifier(using: &generator)]
        let keys = try [("blocks", 0), ("blocks", 0), ("blocks", 1), ("slots", 0)].map {
            let derived = try key.derived(for: $0.0, volume: volumes[$0.1])
            return unsafe derived.withBytes { unsafe Array($0) }
        }
        #expect(keys[0].count == 32)
        #expect(keys[0] == keys[1])
        #expect(Set(keys).count == 3)
    }
}
