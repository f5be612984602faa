import FootingTuning
import Testing

@testable import FootingCommands

@Suite struct FigureTextTests {
    @Test(
        arguments: [
            (812, .nanoseconds, "812 ns"), (21_400, .nanoseconds, "21 µs"),
            (8_400_000, .nanoseconds, "8.4 ms"), (3.4, .operationsPerSecond, "3.4/s"),
            (960, .operationsPerSecond, "960/s"), (12_345, .operationsPerSecond, "12.3k/s"),
            (152_000, .operationsPerSecond, "152k/s"), (2.5e6, .operationsPerSecond, "2.5M/s"),
            (1_610_612_736, .bytesPerSecond, "1.5 GiB/s"),
        ] as [(Double, Figure.Unit, String)]
    )
    func `a number has three digits and its unit`(
        _ value: Double,
        _ unit: Figure.Unit,
        _ text: String
    ) {
        #expect(FigureText.text(value, unit) == text)
    }

    @Test func `no number is too large to be told`() {
        let most = FigureText.text(1e18, .bytesPerSecond)
        #expect(FigureText.text(.infinity, .bytesPerSecond) == most)
        #expect(FigureText.fixed(.nan, digits: 2) == "out of range")
        #expect(FigureText.fixed(1e300, digits: 2) == "out of range")
        #expect(FigureText.fixed(-0.004, digits: 2) == "0.00")
        #expect(FigureText.fixed(-1.256, digits: 2) == "-1.26")
        #expect(FigureText.fixed(1.05, digits: 2) == "1.05")
        #expect(FigureText.gain(1.5) == "1.50x")
        #expect(FigureText.spread(0.034) == "± 3 %")
    }
}
