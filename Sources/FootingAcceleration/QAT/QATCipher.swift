internal import CQAT
internal import FootingSystem
internal import Glibc

/// AES-256-GCM by a device, with the processor for what it does not do.
final class QATCipher: BlockCipher {
    private enum Key {
        case none
        case ready(QATKey)
        case refused
    }

    private final class Secret: Sendable {
        let bytes: SecretBytes
        init(_ bytes: consuming SecretBytes) { self.bytes = bytes }
    }

    private let secret: Secret
    private let software: any BlockCipher
    private let engine: QATEngine
    private let configuration: QATConfiguration
    private let note: @Sendable (QATAccelerator.Work, _ start: UInt64) -> Void
    private let clock = SystemClock()
    /// A session is for associated data of one size: that of the first block.
    private let key = Locked(Key.none)

    /// What a request has room for.
    private static let associatedBytesMaximum = 64

    init(
        key: consuming SecretBytes,
        software: any BlockCipher,
        _ engine: QATEngine,
        _ configuration: QATConfiguration,
        note: @escaping @Sendable (QATAccelerator.Work, _ start: UInt64) -> Void
    ) {
        secret = Secret(key)
        self.software = software
        self.engine = engine
        self.configuration = configuration
        self.note = note
    }

    deinit {
        key.withLock { if case .ready(let key) = $0 { engine.end(key) } }
    }

    func lockKeys() -> Errno? {
        let failure = secret.bytes.lock()
        return software.lockKeys() ?? failure
    }

    /// The key on the device, made by the first who needs it; nil where the processor has to do.
    private func key(blockBytes: Int, associatedBytes: Int) -> QATKey? {
        let sizes = configuration.blockBytesMinimum...configuration.blockBytesMaximum
        guard sizes.contains(blockBytes), associatedBytes <= Self.associatedBytesMaximum else {
            return nil
        }
        return key.withLock { state in
            if case .none = state {
                do throws(AccelerationError) {
                    let key = try engine.key(secret.bytes, associatedBytes: associatedBytes)
                    state = .ready(key)
                } catch {
                    state = .refused
                }
            }
            guard case .ready(let key) = state, key.associatedBytes == associatedBytes else {
                return nil
            }
            return key
        }
    }

    func seal(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        nonce: BlockNonce,
        associatedData: UnsafeRawBufferPointer
    ) throws(AccelerationError) -> AuthenticationTag {
        precondition(source.count == target.count, "a target of another size")
        guard configuration.use == .all,
            let key = key(blockBytes: source.count, associatedBytes: associatedData.count)
        else {
            return try unsafe software.seal(
                source,
                into: target,
                nonce: nonce,
                associatedData: associatedData
            )
        }
        var tag: AuthenticationTag?
        unsafe run(.seal, key, source, nil, nonce, associatedData) { entry throws(QATFailure) in
            let result = unsafe UnsafeRawBufferPointer(
                start: entry.request.pointee.input,
                count: source.count + AuthenticationTag.byteCount
            )
            let made = unsafe AuthenticationTag(
                UnsafeRawBufferPointer(rebasing: result[source.count...])
            )
            let sealed = unsafe UnsafeRawBufferPointer(rebasing: result[..<source.count])
            if engine.queue.isCheckDue(entry.lane) {
                guard unsafe opens(sealed, to: source, nonce, associatedData, made) else {
                    throw .wrong
                }
            }
            unsafe target.copyMemory(from: sealed)
            tag = made
        }
        if let tag { return tag }
        return try unsafe software.seal(
            source,
            into: target,
            nonce: nonce,
            associatedData: associatedData
        )
    }

    func open(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        nonce: BlockNonce,
        associatedData: UnsafeRawBufferPointer,
        tag: AuthenticationTag
    ) throws(AccelerationError) {
        precondition(source.count == target.count, "a target of another size")
        var isOpen = false
        if configuration.use != .off,
            let key = key(blockBytes: source.count, associatedBytes: associatedData.count)
        {
            unsafe run(.open, key, source, tag, nonce, associatedData) { entry throws(QATFailure) in
                // Whether the block or the device is wrong, the processor finds out.
                guard unsafe entry.request.pointee.verified != 0 else { throw .result(0) }
                let plain = unsafe UnsafeRawBufferPointer(
                    start: entry.request.pointee.input,
                    count: source.count
                )
                if engine.queue.isCheckDue(entry.lane) {
                    guard unsafe opens(source, to: plain, nonce, associatedData, tag) else {
                        throw .wrong
                    }
                }
                unsafe target.copyMemory(from: plain)
                isOpen = true
            }
        }
        if isOpen { return }
        try unsafe software.open(
            source,
            into: target,
            nonce: nonce,
            associatedData: associatedData,
            tag: tag
        )
    }

    /// Runs one request; whatever goes wrong, `finish` has then not ended well.
    private func run(
        _ operation: AccelerationOperation,
        _ key: QATKey,
        _ source: UnsafeRawBufferPointer,
        _ tag: AuthenticationTag?,
        _ nonce: BlockNonce,
        _ associatedData: UnsafeRawBufferPointer,
        finish: (QATQueue.Entry) throws(QATFailure) -> Void
    ) {
        let start = clock.nanoseconds
        var work = QATAccelerator.Work(operation)
        engine.queue.run(on: engine.encrypting, count: 1, deadline: engine.deadline) { entry in
            guard let session = key.session(entry.lane, sealing: operation == .seal) else {
                return QAT_RESOURCE
            }
            unsafe entry.fill(source)
            if let tag {
                unsafe tag.store(
                    into: UnsafeMutableRawBufferPointer(
                        start: entry.request.pointee.input + source.count,
                        count: AuthenticationTag.byteCount
                    )
                )
            }
            return unsafe entry.instance.submit(
                entry.request,
                session: session,
                count: source.count,
                nonce: nonce,
                associatedData: associatedData
            )
        } finish: { entry throws(QATFailure) in
            try finish(entry)
            work.add(input: source.count, output: source.count)
        } otherwise: { _, _ in
            work.fallbacks += 1
        }
        note(work, start)
    }

    /// Whether the processor opens a block, and gets the same out of it.
    private func opens(
        _ sealed: UnsafeRawBufferPointer,
        to block: UnsafeRawBufferPointer,
        _ nonce: BlockNonce,
        _ associatedData: UnsafeRawBufferPointer,
        _ tag: AuthenticationTag
    ) -> Bool {
        let plain = QATScratch(byteCount: block.count)
        do throws(AccelerationError) {
            try unsafe software.open(
                sealed,
                into: plain.bytes,
                nonce: nonce,
                associatedData: associatedData,
                tag: tag
            )
        } catch {
            return false
        }
        return unsafe plain.equals(block)
    }
}
