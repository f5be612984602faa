import Testing

@testable import FootingKubeVirt

/// Amounts as `k8s.io/apimachinery/pkg/api/resource` reads them.
@Suite struct QuantityTests {
    static let wholeValues: [(String, Int64)] = [
        ("0", 0), ("1", 1), ("+1", 1), ("-1", -1), ("1Ki", 1024), ("1Mi", 1 << 20),
        ("1Gi", 1 << 30), ("1Ti", 1 << 40), ("1Pi", 1 << 50), ("1Ei", 1 << 60), ("1k", 1000),
        ("1M", 1_000_000), ("1G", 1_000_000_000), ("1T", 1_000_000_000_000),
        ("1P", 1_000_000_000_000_000), ("1E", 1_000_000_000_000_000_000), ("1e3", 1000),
        ("1E3", 1000), ("1e+3", 1000), ("1000e-3", 1), ("12e6", 12_000_000), ("0.5Gi", 1 << 29),
        ("1.5Gi", 1_610_612_736), (".5Ki", 512), ("5.", 5), ("1.1Ki", 1127), ("001Ki", 1024),
        ("8192Ki", 8_388_608), ("1000m", 1), ("1000000u", 1), ("1000000000n", 1),
    ]

    @Test(arguments: wholeValues)
    func `Whole values`(text: String, value: Int64) {
        #expect(Quantity(text)?.roundedUp == value)
    }

    static let fractions: [(String, Int64, Int64)] = [
        ("0.5", 1, 0), ("500m", 1, 0), ("1500m", 2, 1), ("1n", 1, 0), ("-500m", -1, 0),
        ("-1500m", -2, -1), ("1.0000000001", 2, 1), ("0.1n", 1, 0), ("1e-30", 1, 0),
        ("0.1Ki", 103, 102), ("999999999n", 1, 0), ("1.999999999", 2, 1),
    ]

    @Test(arguments: fractions)
    func `Fractions round away from zero, and bytes towards it`(
        text: String,
        up: Int64,
        bytes: Int64
    ) {
        #expect(Quantity(text)?.roundedUp == up)
        #expect(Quantity(text)?.wholeBytes == bytes)
    }

    @Test func `Less than a billionth becomes one, exactly`() {
        #expect(Quantity("0.1n")?.billionths == 1)
        #expect(Quantity("1.0000000001")?.billionths == 1_000_000_001)
        #expect(Quantity("1.1Ki")?.billionths == 1_126_400_000_000)
        #expect(Quantity("0.0000000001Ki")?.billionths == 103)
        let digits = "0." + String(repeating: "0", count: 5000) + "1"
        #expect(Quantity(digits)?.billionths == 1)
        #expect(Quantity(digits + "Ki")?.billionths == 1)
        #expect(Quantity(String(repeating: "0", count: 5000) + "7Mi")?.roundedUp == 7 << 20)
        #expect(
            Quantity("0." + String(repeating: "3", count: 5000) + "Ei")?.roundedUp
                == 384_307_168_202_282_326
        )
    }

    @Test func `Binary amounts end at 64 bits, decimal ones beyond are refused`() {
        for text in [
            "8Ei", "16Ei", "9223372036854775808Ki", "1" + String(repeating: "0", count: 99) + "Mi",
        ] {
            #expect(Quantity(text)?.roundedUp == .max)
        }
        #expect(Quantity("-16Ei")?.roundedUp == -.max)
        #expect(Quantity("9223372036854775807")?.roundedUp == .max)
        for text in ["9223372036854775808", "10E", "1e19", "1e99999", "1e999999999"] {
            #expect(Quantity(text) == nil)
        }
        #expect(Quantity("0e999")?.isZero == true)
        #expect(Quantity("1e-9999")?.billionths == 1)
    }

    @Test(arguments: [
        "", "+", "-", ".", "Ki", "1ki", "1K", "1g", "1KiB", "1 Gi", " 1", "1e", "1e+", "1e1.5",
        "1mm", "0x10", "1_000", "--1", "1.2.3", "1i", "1Gi ", "１", "1e3Ki", "Inf", "NaN", "1u1",
    ])
    func `What is no amount is refused`(text: String) {
        #expect(Quantity(text) == nil)
    }

    @Test func `Amounts compare by their value`() throws {
        #expect(Quantity("1Gi") == Quantity("1024Mi"))
        #expect(try #require(Quantity("1G")) < #require(Quantity("1Gi")))
        #expect(try #require(Quantity("-1")) < Quantity(0))
    }
}
