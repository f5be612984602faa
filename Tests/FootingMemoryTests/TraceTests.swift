import FootingHost
import FootingMemory
import Testing

private let mebibyte: UInt64 = 1 << 20

/// The controller against what real guests showed, with a cache of 600 MiB put into them.
@Suite("Recorded balloons")
struct TraceTests {
    struct Point: Sendable {
        let milliseconds: UInt64
        let total: UInt64
        let available: UInt64
        let balloon: UInt64
    }

    struct Trace: Sendable, CustomStringConvertible {
        let description: String
        let takesFromTotal: Bool
        let points: [Point]

        init(_ description: String, takesFromTotal: Bool, _ text: String) {
            self.description = description
            self.takesFromTotal = takesFromTotal
            points = text.split(separator: "\n").map { line in
                let words = line.split(separator: " ").compactMap { UInt64($0) }
                return Point(
                    milliseconds: words[0],
                    total: words[1] << 10,
                    available: words[2] << 10,
                    balloon: words[3] << 12
                )
            }
        }

        /// What was seen last at a time; time stands still behind the end.
        func point(at milliseconds: UInt64) -> Point {
            points.last { $0.milliseconds <= milliseconds } ?? points[0]
        }

        static let all = [
            Trace("takes from the total", takesFromTotal: true, RecordedTraces.total),
            Trace("leaves the total", takesFromTotal: false, RecordedTraces.available),
        ]
    }

    private func reading(_ trace: Trace, _ point: Point, cache: UInt64) -> MemoryReading {
        let guest = trace.takesFromTotal ? point.total : point.total - point.balloon
        return MemoryReading(
            machine: Headroom(
                sizeBytes: guest,
                availableBytes: point.available - min(cache, point.available)
            ),
            balloon: BalloonStatus(
                currentBalloonBytes: point.balloon,
                targetBalloonBytes: .absent("not shown"),
                guestMemoryBytes: guest,
                isActive: true
            )
        )
    }

    @Test("a cache that gives way never meets an empty machine", arguments: Trace.all)
    func cooperative(trace: Trace) throws {
        let maximum = 600 * mebibyte
        var controller = BalloonController(maximumBytes: maximum)
        var changes: [UInt64] = []
        var least = UInt64.max
        var leastBudget = maximum
        var isQuick = false
        var milliseconds: UInt64 = 0
        let end = try #require(trace.points.last).milliseconds + 240_000
        while milliseconds < end {
            let point = trace.point(at: milliseconds)
            let used = controller.budgetBytes
            let use = MemoryUse(budgetBytes: used, usedBytes: used, floorBytes: 8 * mebibyte)
            // What is there when it looks, before anything is released.
            least = min(least, point.available - min(used, point.available))
            let decision = controller.step(
                reading(trace, point, cache: used),
                use: use,
                at: milliseconds * 1_000_000
            )
            if decision.isChange { changes.append(milliseconds) }
            #expect(decision.budgetBytes <= maximum)
            #expect(decision.budgetBytes >= 8 * mebibyte)
            leastBudget = min(leastBudget, decision.budgetBytes)
            let next = milliseconds + (isQuick ? 50 : 250)
            isQuick = trace.point(at: next).balloon != point.balloon
            milliseconds = next
        }
        let figures = "\(least / mebibyte) MiB left, budget \(leastBudget / mebibyte) MiB"
        print("\(trace): at least \(figures), \(changes.count) changes")
        // The lower mark of the 249 MiB that the guest has in the end.
        #expect(least >= 29 * mebibyte)
        // The host has its 724 MiB: of what is left the cache kept next to nothing.
        #expect(leastBudget < 120 * mebibyte)
        let busiest = changes.map { first in changes.count { $0 >= first && $0 < first + 60000 } }
        #expect(busiest.max() ?? 0 <= ControllerPropertyTests.changesPerMinuteMaximum)
        #expect(controller.budgetBytes == maximum)
    }

    @Test("a passive cache does", arguments: Trace.all)
    func passive(trace: Trace) {
        #expect(trace.points.contains { $0.available < 600 * mebibyte })
    }
}
