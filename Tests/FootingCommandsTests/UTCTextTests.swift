import Testing

@testable import FootingCommands

/// Points in time for people.
@Suite struct UTCTextTests {
    @Test(
        arguments: [
            (0, "1970-01-01 00:00:00"), (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"), (1_795_271_357, "2026-11-21 14:29:17"),
            (4_107_542_400, "2100-03-01 00:00:00"), (253_402_300_799, "9999-12-31 23:59:59"),
            (253_402_300_800, "253402300800"), (UInt64.max, "18446744073709551615"),
        ] as [(UInt64, String)]
    )
    func `The calendar is right`(_ seconds: UInt64, _ text: String) {
        #expect(UTCText.text(unixSeconds: seconds) == text)
    }
}
