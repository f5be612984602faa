internal import CQAT
internal import FootingSystem

/// QATlib started, with the instances that answered.
final class QATEngine: Sendable {
    let queue: QATQueue
    /// The instances that proved to compress, to decompress, and to encrypt and decrypt.
    let compressing: [Int]
    let decompressing: [Int]
    let encrypting: [Int]
    /// Why the others are not used.
    let refusals: [String]

    private let library: QATLibrary
    private let keys = Locked<[ObjectIdentifier: QATKey]>([:])
    private let isStopped = Locked(false)
    private let timeoutNanoseconds: UInt64
    private let clock: any TimeSource

    /// Starts the library and asks every instance a question whose answer the processor knows.
    ///
    /// - Throws: why there is none to use.
    init(
        _ library: QATLibrary,
        _ configuration: QATConfiguration,
        software: any Accelerator,
        clock: any TimeSource
    ) throws(AccelerationError) {
        guard library.isAvailable else {
            throw .unavailable("the library finds no device that is set up for it")
        }
        try library.start()
        var instances: [QATInstance] = []
        var refusals: [String] = []
        let services: [QATService] =
            configuration.encrypts ? [.compression, .encryption] : [.compression]
        for service in services {
            let handles = unsafe library.instances(service)
            for index in unsafe handles.indices.prefix(configuration.instanceMaximum) {
                do throws(AccelerationError) {
                    let instance = try unsafe QATInstance(
                        library,
                        handles[index],
                        service,
                        configuration
                    )
                    instances.append(instance)
                } catch {
                    refusals.append(error.description)
                }
            }
        }
        do throws(Errno) {
            queue = try QATQueue(library, instances, configuration, clock)
        } catch {
            for instance in instances { instance.stop() }
            library.stop()
            throw .unavailable("no thread to get answers: \(error)")
        }
        self.library = library
        self.clock = clock
        timeoutNanoseconds = UInt64(configuration.timeoutMilliseconds) * 1_000_000
        let question = QATQuestion(queue, software: software, timeoutNanoseconds, clock)
        compressing = question.compressing()
        decompressing = question.decompressing(compressing)
        encrypting = question.encrypting()
        for lane in instances.indices {
            if let reason = queue.offReason(lane) { refusals.append(reason) }
        }
        self.refusals = refusals
        if compressing.isEmpty && encrypting.isEmpty {
            stop()
            throw .unavailable(
                refusals.first
                    ?? "the library has no instance for this process;"
                    + " ServicesEnabled in /etc/sysconfig/qat needs dc"
            )
        }
    }

    deinit { stop() }

    /// When a batch that starts now has to be answered.
    var deadline: UInt64 { clock.nanoseconds + timeoutNanoseconds }

    /// Prepares a key on every instance.
    func key(
        _ bytes: borrowing SecretBytes,
        associatedBytes: Int
    ) throws(AccelerationError) -> QATKey {
        let key = try QATKey(queue, encrypting, bytes, associatedBytes)
        keys.withLock { $0[ObjectIdentifier(key)] = key }
        return key
    }

    /// Ends a key, at once or when the last request with it was answered.
    func end(_ key: QATKey) {
        keys.withLock { keys in
            if key.end() { keys[ObjectIdentifier(key)] = nil }
        }
    }

    /// Waits for what runs, and gives everything back; again it does nothing.
    ///
    /// An instance that still owes an answer is left as it is, and then so is the library: to unmap
    /// memory that a device may write to is worse than to keep it.
    func stop() {
        let isFirst = isStopped.withLock { isStopped in
            defer { isStopped = true }
            return !isStopped
        }
        guard isFirst else { return }
        let mayStop = queue.stop()
        keys.withLock { keys in
            for (identity, key) in keys where key.end() { keys[identity] = nil }
        }
        for (instance, mayStop) in zip(queue.instances, mayStop) {
            if mayStop {
                instance.stop()
            } else {
                // The library may still call it.
                unsafe _ = Unmanaged.passRetained(instance)
            }
        }
        if !mayStop.contains(false) { library.stop() }
    }
}

/// One key, expanded on every instance that encrypts.
final class QATKey: Sendable {
    private struct Sessions {
        let sealing: QATCipherSession
        let opening: QATCipherSession
    }

    /// The size of the associated data, which is part of a session.
    let associatedBytes: Int
    private let queue: QATQueue
    private let sessions: [Int: Sessions]
    /// Those that are not ended yet.
    private let left: Locked<[(lane: Int, session: QATCipherSession)]>

    fileprivate init(
        _ queue: QATQueue,
        _ lanes: [Int],
        _ bytes: borrowing SecretBytes,
        _ associatedBytes: Int
    ) throws(AccelerationError) {
        self.queue = queue
        self.associatedBytes = associatedBytes
        var made: [(lane: Int, session: QATCipherSession)] = []
        var sessions: [Int: Sessions] = [:]
        do throws(AccelerationError) {
            for lane in lanes {
                for encrypting in [true, false] {
                    let session = try queue.instances[lane].beginCipher(
                        key: bytes,
                        encrypting: encrypting,
                        associatedBytes: associatedBytes
                    )
                    made.append((lane, session))
                }
                sessions[lane] = Sessions(
                    sealing: made[made.count - 2].session,
                    opening: made[made.count - 1].session
                )
            }
        } catch {
            for (lane, session) in made { _ = queue.instances[lane].endCipher(session) }
            throw error
        }
        self.sessions = sessions
        left = Locked(made)
    }

    /// A session on an instance.
    func session(_ lane: Int, sealing: Bool) -> QATCipherSession? {
        sealing ? sessions[lane]?.sealing : sessions[lane]?.opening
    }

    /// Ends what can be ended; false while requests run with any of it.
    fileprivate func end() -> Bool {
        left.withLock { left in
            left.removeAll { queue.instances[$0.lane].endCipher($0.session) }
            return left.isEmpty
        }
    }
}
