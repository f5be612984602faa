import FootingSystem
import Testing

@Suite struct LockedTests {
    @Test func `threads add up without losing a step`() throws {
        let counter = Locked(0)
        var threads: [@Sendable () -> Void] = []
        for _ in 0..<4 {
            threads.append { for _ in 0..<10_000 { counter.withLock { $0 += 1 } } }
        }
        let first = try Thread(name: "first", threads[0])
        let second = try Thread(name: "second with a long name", threads[1])
        let third = try Thread(name: "third", threads[2])
        threads[3]()
        first.join()
        second.join()
        third.join()
        #expect(counter.withLock { $0 } == 40_000)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a waiting thread is woken by a change`() throws {
        let stage = Locked(0)
        let thread = try Thread(name: "waiter") {
            stage.withLock { value in
                value = 1
                stage.wakeAll()
                while value < 2 { stage.wait(&value) }
                value = 3
            }
        }
        stage.withLock { value in
            while value < 1 { stage.wait(&value) }
            value = 2
            stage.wakeAll()
        }
        thread.join()
        #expect(stage.withLock { $0 } == 3)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a wait ends when its time runs out, not before`() {
        let clock = SystemClock()
        let empty = Locked(())
        let start = clock.nanoseconds
        // A wake-up can be spurious: what counts is that the time runs out in the end.
        empty.withLock { value in
            while empty.wait(&value, nanoseconds: 20_000_000) {}
        }
        #expect(clock.nanoseconds - start >= 20_000_000)
    }

    @Test func `an error leaves the lock free`() {
        let value = Locked(1)
        #expect(throws: Errno.again) { try value.withLock { _ throws(Errno) in throw .again } }
        #expect(value.withLock { $0 } == 1)
    }
}
