import Testing

@testable import FootingCommands

@Suite struct ValueTests {
    private static let sizes: [(String, UInt64)] = [
        ("0", 0), ("4096", 4096), ("7B", 7), ("1k", 1024), ("512M", 512 << 20), ("10G", 10 << 30),
        ("1TiB", 1 << 40), ("1tib", 1 << 40), ("3P", 3 << 50), ("15E", 15 << 60),
        ("18446744073709551615", .max),
    ]

    @Test(arguments: sizes)
    func `sizes have binary units`(text: String, bytes: UInt64) throws {
        #expect(try ByteSize.parse(text) == bytes)
        #expect(try ByteSize.parse(ByteSize.exactText(bytes)) == bytes)
    }

    private static let badSizes: [(String, String)] = [
        ("", "a size in bytes, such as 4096, 512M, 10G or 1TiB"),
        ("G", "a size in bytes, such as 4096, 512M, 10G or 1TiB"),
        ("-1", "a size in bytes, such as 4096, 512M, 10G or 1TiB"),
        ("1.5G", "a unit among K, M, G, T, P and E, such as 512M or 10G"),
        ("1 G", "a unit among K, M, G, T, P and E, such as 512M or 10G"),
        ("1X", "a unit among K, M, G, T, P and E, such as 512M or 10G"),
        ("1iB", "a unit among K, M, G, T, P and E, such as 512M or 10G"),
        ("10GB", "a binary unit: write 10G for 10 GiB"),
        ("16E", "a size below 16E"),
        ("18446744073709551616", "a size in bytes, such as 4096, 512M, 10G or 1TiB"),
    ]

    @Test(arguments: badSizes)
    func `a bad size says what a good one is`(text: String, expectation: String) {
        #expect(throws: InvalidValue(expectation: expectation)) { try ByteSize.parse(text) }
    }

    private static let sizeTexts: [(UInt64, String)] = [
        (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (10 << 30, "10 GiB"),
        (1_000_000_000_000, "931 GiB"), ((1 << 20) - 1, "1 MiB"), ((1 << 30) - 1, "1 GiB"),
        (1100, "1.1 KiB"), ((100 << 20) + 1, "100 MiB"), (.max, "16 EiB"), (1 << 60, "1 EiB"),
    ]

    @Test(arguments: sizeTexts)
    func `sizes are rounded for people`(bytes: UInt64, text: String) {
        #expect(ByteSize.text(bytes) == text)
    }

    private static let durations: [(String, Duration, String)] = [
        ("0s", .zero, "0 ns"), ("5ns", .nanoseconds(5), "5 ns"),
        ("12us", .microseconds(12), "12 µs"),
        ("250ms", .milliseconds(250), "250 ms"), ("1500ms", .milliseconds(1500), "1.5 s"),
        ("42s", .seconds(42), "42 s"), ("125s", .seconds(125), "2 min 5 s"),
        ("3h", .seconds(10_800), "3 h"), ("61m", .seconds(3660), "1 h 1 min"),
    ]

    @Test(arguments: durations)
    func `durations have a unit`(text: String, duration: Duration, shown: String) throws {
        #expect(try DurationText.parse(text) == duration)
        #expect(DurationText.exactText(duration) == text)
        #expect(DurationText.text(duration) == shown)
    }

    @Test(arguments: ["", "5", "s", "5 s", "1.5s", "-1s", "5d", "9999999999999h"])
    func `a bad duration is refused`(text: String) {
        #expect(throws: InvalidValue.self) { try DurationText.parse(text) }
    }

    @Test func `a negative duration is shown`() {
        #expect(DurationText.text(.milliseconds(-3)) == "-3 ms")
    }

    @Test func `integers stay in their range`() throws {
        let type = ValueType<Int>.integer(1...16)
        #expect(try type.parse("16") == 16)
        for text in ["0", "17", "x", "", "1.0"] {
            let expected = InvalidValue(expectation: "a whole number from 1 to 16")
            #expect(throws: expected) { try type.parse(text) }
        }
    }

    @Test func `percentages may do without their sign`() throws {
        let type = ValueType<Int>.percent
        #expect(try type.parse("5%") == 5)
        #expect(try type.parse("100") == 100)
        #expect(type.format(7) == "7%")
        for text in ["101", "-1", "%", "5%%"] {
            #expect(throws: InvalidValue.self) { try type.parse(text) }
        }
    }
}
