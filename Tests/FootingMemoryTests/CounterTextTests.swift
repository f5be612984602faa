import FootingSystem
import Testing

@testable import FootingMemory

@Suite("Numbers in the kernel's texts")
struct CounterTextTests {
    private func number(_ name: String, _ text: String) -> UInt64? {
        CounterText.number(name, in: Array(text.utf8)[...])
    }

    @Test(
        "are found by the name at the start of a line",
        arguments: [
            ("low 1\nhigh 22\nmax 3\n", "high", 22),
            ("MemTotal:       24684092 kB\n", "MemTotal", 24_684_092),
            ("pages_ballooned : 512", "pages_ballooned", 512),
            ("target:             4096 pages\ncurrent:            7 pages\n", "current", 7),
            ("a=1\nb=2", "b", 2),
            ("balloon_inflate 18446744073709551615", "balloon_inflate", UInt64.max),
        ] as [(String, String, UInt64)]
    )
    func found(text: String, name: String, value: UInt64) {
        #expect(number(name, text) == value)
    }

    @Test(
        "are absent where there is no such line, no number, or too large a one",
        arguments: [
            ("", "high"), ("high", "high"), ("high ", "high"), ("high max", "high"),
            ("thigh 1", "high"), ("high_water 1", "high"), ("high -1", "high"),
            ("high 18446744073709551616", "high"), ("high 99999999999999999999999", "high"),
            ("high\n1", "high"), ("\u{0}high 1", "high"),
        ]
    )
    func absent(text: String, name: String) {
        #expect(number(name, text) == nil)
    }

    @Test("stalls are read to the hundredth")
    func stalls() {
        let text = Array(
            "some avg10=12.07 avg60=1.00 avg300=0.00 total=2600485\nfull avg10=3.1".utf8
        )
        let some = CounterText.stall("some", in: text[...])
        #expect(some == PressureStall(averageHundredths: 1207, totalMicroseconds: 2_600_485))
        #expect(CounterText.stall("full", in: text[...]) == nil)
        let many = Array("some avg10=101.00 total=1\nfull avg10=1 total=5\n".utf8)
        #expect(CounterText.stall("some", in: many[...]) == nil)
        let whole = PressureStall(averageHundredths: 100, totalMicroseconds: 5)
        #expect(CounterText.stall("full", in: many[...]) == whole)
    }

    @Test("garbage has no numbers, and is never read past its end", arguments: UInt64(1)...200)
    func garbage(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let pieces = ["some ", "avg10=", "total=", "high", " ", "\n", "1", "99999999999", ".", ":"]
        var text: [UInt8] = []
        for _ in 0..<random.below(60) {
            text +=
                random.oneIn(4) ? [UInt8(random.below(256))] : Array(pieces[random.below(10)].utf8)
        }
        _ = CounterText.number("high", in: text[...])
        _ = CounterText.number(in: text[...])
        _ = MemoryInfo(text[...])
        if let stall = CounterText.stall("some", in: text[...]) {
            #expect(stall.averageHundredths <= 10099)
        }
    }

    @Test("a long file of the kernel is read to its end, in pieces")
    func longFile() throws {
        let root = try HostRoot()
        let whole = try root.bytes("proc/vmstat")
        let last = try #require(whole.split(separator: 10).last)
        let name = String(decoding: last.prefix { $0 != 32 }, as: UTF8.self)
        let file = try SampledFile("proc/vmstat", root)
        var buffer: [UInt8] = []
        let text = try file.read(into: &buffer) { CounterText.number(name, in: $0) != nil }
        #expect(CounterText.number(name, in: text) != nil)
    }

    @Test(
        "base 64",
        arguments: [
            ("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmFy", "foobar"),
            ("c29tZSAyMDAwMDAgMjAwMDAwMAA=", "some 200000 2000000\0"),
        ]
    )
    func base64(text: String, plain: String) {
        #expect(Base64.bytes(text) == Array(plain.utf8))
    }

    @Test("what is no base 64", arguments: ["Z", "Zg=", "Zg=a", "Z===", "Zm9v Zg==", "Zg==Zg=="])
    func noBase64(text: String) {
        #expect(Base64.bytes(text) == nil)
    }
}
