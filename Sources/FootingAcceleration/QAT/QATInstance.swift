internal import CQAT
internal import FootingSystem
internal import Glibc
internal import Synchronization

/// One instance of a service on a device, started, with memory for its requests.
///
/// All that the device or the library touches while a request runs lies in memory of the device:
/// also what only the library reads, as a late answer may find it much later.
@safe
final class QATInstance: @unchecked Sendable {
    // Sendable: nothing changes but `event`, which is atomic, and requests, which have one owner.
    let service: QATService
    let name: String
    /// Whether it decompresses too.
    let decompresses: Bool
    /// Whether it says when it restarts.
    private(set) var tellsEvents = false
    /// The memory of its requests.
    private(set) var requests: [UnsafeMutablePointer<qat_request>] = unsafe []
    /// What may come out of a compression.
    private(set) var outputBytes = 0

    private let library: QATLibrary
    private let handle: qat_instance
    private let description: qat_description
    private var memory: [UnsafeMutableRawBufferPointer] = unsafe []
    /// The session of all compressions.
    private var session: UnsafeMutableRawPointer?
    /// The last event that nobody has looked at, plus one; or 0.
    private let event = Atomic<UInt32>(0)

    /// As large as a piece of memory can be where it lies in huge pages.
    private static let slabBytes = 2 << 20

    private var functions: UnsafePointer<qat_functions> { unsafe library.functions }

    /// Starts an instance.
    ///
    /// - Throws: why it cannot be used.
    init(
        _ library: QATLibrary,
        _ handle: qat_instance,
        _ service: QATService,
        _ configuration: QATConfiguration
    ) throws(AccelerationError) {
        self.library = library
        unsafe self.handle = handle
        self.service = service
        var description = qat_description()
        let status = unsafe qat_describe(
            library.functions,
            handle,
            service.rawValue,
            &description
        )
        self.description = description
        let name = unsafe withUnsafeBytes(of: &description.name) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        self.name = name
        decompresses = description.decompresses != 0
        let problem: String? =
            if status != QAT_SUCCESS {
                "does not say what it is (\(status))"
            } else if description.is_up == 0 {
                "is not up"
            } else if description.is_polled == 0 {
                "is not one that is polled"
            } else if description.is_able == 0 {
                service == .compression
                    ? "does not compress and verify deflate" : "does no AES-GCM"
            } else if description.intermediate > 0 {
                "wants buffers of its own, as devices before 4xxx do"
            } else {
                nil
            }
        if let problem { throw .unavailable("\(name) \(problem)") }
        let started = unsafe qat_start(library.functions, handle, service.rawValue)
        guard started == QAT_SUCCESS else {
            throw .unavailable("\(name) does not start (\(started))")
        }
        do throws(AccelerationError) {
            try makeRequests(configuration)
            if service == .compression { try beginCompression() }
        } catch {
            stop()
            throw error
        }
        listen()
    }

    private func listen() {
        // Not retained: nobody calls it once the instance has stopped.
        let tag = unsafe Unmanaged.passUnretained(self).toOpaque()
        let status = unsafe qat_listen(
            functions,
            handle,
            service.rawValue,
            { _, tag, event in
                guard let tag = unsafe tag else { return }
                let instance = unsafe Unmanaged<QATInstance>.fromOpaque(tag).takeUnretainedValue()
                instance.event.store(event &+ 1, ordering: .releasing)
            },
            tag
        )
        tellsEvents = status == QAT_SUCCESS
    }

    /// What happened since the last call, or nil.
    func takeEvent() -> Int32? {
        let value = event.exchange(0, ordering: .acquiring)
        return value == 0 ? nil : Int32(truncatingIfNeeded: value) &- 1
    }

    /// Gets answers: they come before this returns, on this thread, which must be the only one.
    func poll() {
        unsafe _ = qat_poll(functions, handle, service.rawValue)
    }

    /// Stops it and gives its memory back: only once every request has been answered.
    func stop() {
        if let session = unsafe session { unsafe _ = functions.pointee.dc_end(handle, session) }
        unsafe session = nil
        unsafe _ = qat_stop(functions, handle, service.rawValue)
        for index in unsafe memory.indices { unsafe give(memory[index]) }
        unsafe memory = []
        unsafe requests = []
    }

    // MARK: Memory

    /// Zeroed memory that the device can reach, on its node.
    private func take(byteCount: Int) throws(AccelerationError) -> UnsafeMutableRawBufferPointer {
        guard let start = unsafe functions.pointee.memory_take(byteCount, description.node, 64)
        else { throw .unavailable("\(name) gets no memory for the device: raise `ulimit -l`") }
        unsafe memset(start, 0, byteCount)
        return unsafe UnsafeMutableRawBufferPointer(start: start, count: byteCount)
    }

    /// Gives memory back, without what was in it.
    private func give(_ bytes: UnsafeMutableRawBufferPointer) {
        var start = bytes.baseAddress
        if let start = unsafe start { unsafe explicit_bzero(start, bytes.count) }
        unsafe functions.pointee.memory_give(&start)
    }

    private func makeRequests(_ configuration: QATConfiguration) throws(AccelerationError) {
        let block = configuration.blockBytesMaximum
        var inputBytes = block + AuthenticationTag.byteCount
        if service == .compression {
            var bound: UInt32 = 0
            let status = unsafe functions.pointee.dc_bound(
                handle,
                description.huffman,
                UInt32(block),
                &bound
            )
            guard status == QAT_SUCCESS else {
                throw .unavailable("\(name) does not say how large a result can be (\(status))")
            }
            // What is compressed comes in as well as it goes out.
            inputBytes = max(block, Int(bound))
            outputBytes = inputBytes
        }
        let meta = Int(description.meta_size)
        let size = qat_request_size(meta, inputBytes, outputBytes)
        let perSlab = Self.slabBytes / size
        guard perSlab > 0 else { throw .unavailable("\(name) wants too much memory for a block") }
        while unsafe requests.count < configuration.depth {
            let count = unsafe min(perSlab, configuration.depth - requests.count)
            let slab = try unsafe take(byteCount: count * size)
            unsafe memory.append(slab)
            for start in stride(from: 0, to: count * size, by: size) {
                guard let place = slab.baseAddress,
                    let request = unsafe qat_prepare(place + start, meta, inputBytes, outputBytes)
                else { continue }
                unsafe requests.append(request)
            }
        }
    }

    // MARK: Compression

    private func beginCompression() throws(AccelerationError) {
        var description = description
        var size: UInt32 = 0
        guard unsafe qat_deflate_size(functions, handle, &description, &size) == QAT_SUCCESS else {
            throw .unavailable("\(name) does not say how large a session is")
        }
        let bytes = try unsafe take(byteCount: Int(size))
        unsafe memory.append(bytes)
        let start = bytes.baseAddress
        let status = unsafe qat_begin_deflate(functions, handle, &description, start)
        guard status == QAT_SUCCESS else {
            throw .unavailable("\(name) refuses a session (\(status))")
        }
        unsafe session = unsafe start
    }

    /// Hands over what lies in the request's input.
    ///
    /// - Parameters:
    ///   - count: its bytes.
    ///   - room: the bytes that may come out.
    func submit(
        _ request: UnsafeMutablePointer<qat_request>,
        decompressing: Bool,
        count: Int,
        room: Int
    ) -> Int32 {
        var description = description
        return unsafe qat_submit_deflate(
            functions,
            handle,
            &description,
            session,
            request,
            decompressing ? 1 : 0,
            UInt32(count),
            UInt32(room)
        )
    }

    // MARK: Encryption

    /// Prepares a key for one direction, and associated data of one size.
    func beginCipher(
        key: borrowing SecretBytes,
        encrypting: Bool,
        associatedBytes: Int
    ) throws(AccelerationError) -> QATCipherSession {
        precondition(key.count == 32, "a key of \(key.count) bytes")
        let session = try unsafe key.withBytes { bytes throws(AccelerationError) in
            let (start, way, size) = (
                bytes.baseAddress, Int32(encrypting ? 1 : 0), UInt32(associatedBytes)
            )
            var count: UInt32 = 0
            var status = unsafe qat_gcm_size(functions, handle, start, way, size, &count)
            guard status == QAT_SUCCESS else {
                throw AccelerationError.unavailable("\(name) refuses a session (\(status))")
            }
            let memory = try unsafe take(byteCount: Int(count))
            status = unsafe qat_begin_gcm(
                functions,
                handle,
                start,
                way,
                size,
                memory.baseAddress
            )
            guard status == QAT_SUCCESS else {
                unsafe give(memory)
                throw AccelerationError.unavailable("\(name) refuses a session (\(status))")
            }
            return unsafe QATCipherSession(memory: memory)
        }
        return session
    }

    /// Ends a key's session and wipes it; false while requests run with it.
    func endCipher(_ session: QATCipherSession) -> Bool {
        let status = unsafe functions.pointee.sym_end(handle, session.memory.baseAddress)
        guard status == QAT_SUCCESS else { return false }
        unsafe give(session.memory)
        return true
    }

    /// Hands over what lies in the request's input, with the tag or the room for it behind it.
    func submit(
        _ request: UnsafeMutablePointer<qat_request>,
        session: QATCipherSession,
        count: Int,
        nonce: BlockNonce,
        associatedData: UnsafeRawBufferPointer
    ) -> Int32 {
        var words = nonce.words
        return unsafe qat_submit_gcm(
            functions,
            handle,
            session.memory.baseAddress,
            request,
            UInt32(count),
            &words,
            associatedData.baseAddress,
            associatedData.count
        )
    }
}

/// A key, expanded in memory of a device.
@safe
struct QATCipherSession: @unchecked Sendable {
    // Sendable: only the device and its library look into it.
    let memory: UnsafeMutableRawBufferPointer
}
