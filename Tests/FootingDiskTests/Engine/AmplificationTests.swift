import FootingSimulation
import FootingTestSupport
import Testing

/// What overwriting at random costs, with the engine's own options on a small disk.
///
/// Headers take 0.03 more than in segments of the usual size.
@Suite struct AmplificationTests {
    @Test(
        .disabled(if: Sanitizer.isOn, "it compares ratios"),
        arguments: [
            (AmplificationTrial.Load.uniform, AmplificationTrial.Pace.ahead, 2.0),
            (.uniform, .behind, 1.95),
            (.confined, .ahead, 2.05),
            (.skewed, .ahead, 1.8),
        ]
    )
    func `A container for each byte of a client gets no more than this`(
        _ load: AmplificationTrial.Load,
        _ pace: AmplificationTrial.Pace,
        _ most: Double
    ) throws {
        let result = try AmplificationTrial(load, pace, scale: 16).run()
        #expect(result.amplification <= most, "\(result)")
        // Less than what clients write cannot be.
        #expect(result.amplification > 1)
    }
}
