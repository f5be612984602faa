internal import CQAT
internal import FootingSystem

/// Asks each instance what the processor can check: only one that answers rightly is used.
struct QATQuestion: ~Copyable {
    private let queue: QATQueue
    private let software: any Accelerator
    private let timeoutNanoseconds: UInt64
    private let clock: any TimeSource
    /// Text that repeats itself, but not as a whole.
    private let block = QATScratch(
        (0..<16384).map { UInt8(truncatingIfNeeded: $0 % 251 &* ($0 >> 9)) }
    )

    private static let associatedBytes = 4

    init(
        _ queue: QATQueue,
        software: any Accelerator,
        _ timeoutNanoseconds: UInt64,
        _ clock: any TimeSource
    ) {
        self.queue = queue
        self.software = software
        self.timeoutNanoseconds = timeoutNanoseconds
        self.clock = clock
    }

    /// The instances that compress.
    func compressing() -> [Int] {
        let plain = unsafe UnsafeRawBufferPointer(block.bytes)
        return lanes(.compression).filter { lane in
            answers(lane) { entry in
                unsafe entry.fill(plain)
                return unsafe entry.instance.submit(
                    entry.request,
                    decompressing: false,
                    count: plain.count,
                    room: entry.instance.outputBytes
                )
            } finish: { entry throws(QATFailure) in
                let produced = unsafe Int(entry.request.pointee.results.produced)
                let compressed = unsafe UnsafeRawBufferPointer(
                    start: entry.request.pointee.output,
                    count: min(produced, entry.instance.outputBytes)
                )
                let result = QATScratch(byteCount: plain.count)
                do throws(AccelerationError) {
                    try unsafe software.decompress(compressed, into: result.bytes, .deflate)
                } catch {
                    throw .wrong
                }
                guard unsafe result.equals(plain) else { throw .wrong }
            }
        }
    }

    /// Those of them that decompress too.
    func decompressing(_ compressing: [Int]) -> [Int] {
        let plain = unsafe UnsafeRawBufferPointer(block.bytes)
        let target = QATScratch(byteCount: plain.count)
        let count = unsafe try? software.compress(plain, into: target.bytes, .deflate, .fast)
        guard let count = count ?? nil else { return [] }
        let compressed = unsafe UnsafeRawBufferPointer(rebasing: target.bytes[..<count])
        return compressing.filter { queue.instances[$0].decompresses }.filter { lane in
            answers(lane) { entry in
                unsafe entry.fill(compressed)
                return unsafe entry.instance.submit(
                    entry.request,
                    decompressing: true,
                    count: count,
                    room: plain.count
                )
            } finish: { entry throws(QATFailure) in
                guard unsafe Int(entry.request.pointee.results.produced) == plain.count,
                    unsafe block.equals(
                        UnsafeRawBufferPointer(
                            start: entry.request.pointee.output,
                            count: plain.count
                        )
                    )
                else { throw .wrong }
            }
        }
    }

    /// The instances that encrypt and decrypt.
    func encrypting() -> [Int] {
        lanes(.encryption).filter { lane in
            do throws(AccelerationError) {
                return try encrypts(lane)
            } catch {
                queue.turnOff(lane, because: error.description)
                return false
            }
        }
    }

    private func encrypts(_ lane: Int) throws(AccelerationError) -> Bool {
        let key: SecretBytes
        do throws(Errno) {
            key = try unsafe SecretBytes(
                copying: UnsafeRawBufferPointer(rebasing: block.bytes[8192..<8224])
            )
        } catch {
            throw .unavailable("no memory for a key: \(error)")
        }
        let count = unsafe block.bytes.count
        let tagBytes = AuthenticationTag.byteCount
        let associated = unsafe UnsafeRawBufferPointer(
            rebasing: block.bytes[..<Self.associatedBytes]
        )
        let nonce = BlockNonce(epoch: 1, position: 2)
        // By the processor: the sealed block, and its tag behind it.
        let sealed = QATScratch(byteCount: count + tagBytes)
        let tag = try unsafe software.cipher(key: key).seal(
            UnsafeRawBufferPointer(block.bytes),
            into: UnsafeMutableRawBufferPointer(rebasing: sealed.bytes[..<count]),
            nonce: nonce,
            associatedData: associated
        )
        unsafe tag.store(into: UnsafeMutableRawBufferPointer(rebasing: sealed.bytes[count...]))
        let instance = queue.instances[lane]
        for encrypting in [true, false] {
            let session = try instance.beginCipher(
                key: key,
                encrypting: encrypting,
                associatedBytes: Self.associatedBytes
            )
            let isRight = answers(lane) { entry in
                unsafe entry.fill(UnsafeRawBufferPointer(encrypting ? block.bytes : sealed.bytes))
                return unsafe instance.submit(
                    entry.request,
                    session: session,
                    count: count,
                    nonce: nonce,
                    associatedData: associated
                )
            } finish: { entry throws(QATFailure) in
                let request = unsafe entry.request.pointee
                let isEqual =
                    encrypting
                    ? unsafe sealed.equals(
                        UnsafeRawBufferPointer(start: request.input, count: count + tagBytes)
                    )
                    : unsafe request.verified != 0
                        && block.equals(UnsafeRawBufferPointer(start: request.input, count: count))
                guard isEqual else { throw .wrong }
            }
            // A session that cannot be ended stays, as its request does.
            _ = instance.endCipher(session)
            if !isRight { return false }
        }
        return true
    }

    private func lanes(_ service: QATService) -> [Int] {
        queue.instances.indices.filter { queue.instances[$0].service == service }
    }

    /// Runs one request on one instance, which is turned off unless it went well.
    private func answers(
        _ lane: Int,
        submit: (QATQueue.Entry) -> Int32,
        finish: (QATQueue.Entry) throws(QATFailure) -> Void
    ) -> Bool {
        var failure: QATFailure?
        queue.run(
            on: [lane],
            count: 1,
            deadline: clock.nanoseconds + timeoutNanoseconds,
            submit: submit,
            finish: finish,
            otherwise: { failure = $1 }
        )
        guard let failure else { return true }
        let name = queue.instances[lane].name
        queue.turnOff(lane, because: "\(name) did not pass its first test: \(failure)")
        return false
    }
}
