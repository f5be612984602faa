internal import CQAT
internal import Glibc

extension QATQueue {
    /// One of a batch, as it is handed over or as it came back.
    @safe
    struct Entry {
        /// Its number in the batch.
        let number: Int
        /// Which instance has it.
        let lane: Int
        let instance: QATInstance
        let request: UnsafeMutablePointer<qat_request>

        /// Copies the input in.
        func fill(_ source: UnsafeRawBufferPointer) {
            guard let start = source.baseAddress else { return }
            unsafe _ = memcpy(request.pointee.input, start, source.count)
        }
    }

    /// Runs a batch: all are handed over, then all are waited for.
    ///
    /// - Parameters:
    ///   - lanes: the instances that are able to do it.
    ///   - count: how many requests.
    ///   - deadline: until when all answers have to be there, by the queue's clock.
    ///   - submit: fills a request in and hands it over; gives a `CpaStatus`.
    ///   - finish: uses what came back; throws if that is no result.
    ///   - otherwise: does without the device what did not work. What was refused is done while the
    ///     device has the others.
    func run(
        on lanes: [Int],
        count: Int,
        deadline: UInt64,
        submit: (Entry) -> Int32,
        finish: (Entry) throws(QATFailure) -> Void,
        otherwise: (Int, QATFailure) -> Void
    ) {
        var running: [(place: Place, entry: Entry)] = []
        var refused: [(number: Int, failure: QATFailure)] = []
        running.reserveCapacity(count)
        for number in 0..<count {
            guard let taken = unsafe take(lanes) else {
                refused.append((number, .busy))
                continue
            }
            let place = unsafe taken.place
            let entry = unsafe Entry(
                number: number,
                lane: place.lane,
                instance: instances[place.lane],
                request: taken.request
            )
            if let failure = self.submit(place, { submit(entry) }) {
                refused.append((number, failure))
            } else {
                running.append((place, entry))
            }
        }
        for (number, failure) in refused { otherwise(number, failure) }
        for (place, entry) in running {
            guard wait(for: place, deadline: deadline) else {
                otherwise(entry.number, .timedOut)
                continue
            }
            do throws(QATFailure) {
                defer { release(place) }
                try Self.check(entry)
                try finish(entry)
            } catch {
                if error == .wrong { noteWrong(entry.lane) } else { noteError() }
                otherwise(entry.number, error)
            }
        }
    }

    private static func check(_ entry: Entry) throws(QATFailure) {
        let request = unsafe entry.request.pointee
        if entry.instance.service == .compression {
            let result = unsafe request.results.status
            if result != QAT_RESULT_OK { throw .result(result) }
        }
        let status = unsafe request.status
        if status != QAT_SUCCESS { throw .status(status) }
    }
}
