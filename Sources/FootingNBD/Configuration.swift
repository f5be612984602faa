public import FootingSystem

/// The server's limits: on memory, connections and time.
public struct Configuration: Sendable {
    /// Connections served at once; further ones are told so in the handshake.
    public var maximumConnections = 64
    /// Bytes a second that the reads and writes of all connections have together; nil: any number.
    ///
    /// After a time without requests a tenth of a second's worth is served at once.
    public var bandwidthBytesPerSecond: UInt64?
    /// Longest data of one option of the handshake.
    public var maximumOptionBytes = 8 << 10
    /// Options in one handshake.
    public var maximumOptions = 64
    /// Longest read or write; the protocol expects 32 MiB of every server.
    public var maximumPayloadBytes: UInt32 = 32 << 20
    /// Requests per connection that wait for the disk; beyond, the socket is not read.
    public var maximumPendingRequests = 128
    /// Bytes that the waiting reads of a connection may take; one request always may.
    public var maximumPendingBytes = 4 << 20
    /// Threads, shared by all connections, for reads that wait for the disk.
    public var readerThreads = 8
    /// Reads that wait for one of these threads; beyond, a connection's own thread reads.
    public var maximumQueuedReads = 256
    /// Descriptors of a block status reply.
    public var maximumExtents = 1024

    /// From the connection to the end of the handshake.
    public var handshakeTimeoutMilliseconds: Int32 = 10_000
    /// From a request's first byte to its last.
    public var requestTimeoutMilliseconds: Int32 = 30_000
    /// How long a client may leave its replies unread.
    public var replyTimeoutMilliseconds: Int32 = 30_000
    /// After this time without a request a connection's buffers go back to the kernel.
    public var idleMilliseconds: Int32 = 1_000

    /// For how long a connection's thread looks for its client's next request before it sleeps,
    /// where that has paid lately; 0 for never.
    public var busyPollNanoseconds: UInt64 = 200_000

    /// Processors' worth of time that this process may take; nil where that is not limited.
    ///
    /// Polling must not use up what the work needs.
    public var processors: Double?

    /// What the kernel is asked to buffer for a connection's replies; 0 leaves its default.
    public var sendBufferBytes: Int32 = 1 << 20
    /// What the kernel is asked to buffer of a TCP connection's requests; 0 leaves its default, and
    /// with a limit on the bandwidth 256 KiB, as they wait there.
    public var receiveBufferBytes: Int32 = 0

    /// Where the memory of connections comes from: 1.3 MiB for each, and up to 1 MiB for a write
    /// that is arriving.
    public var buffers: any BufferSource = KernelBuffers()

    /// Told what an operator may want to know, one line each; called from any thread.
    public var log: @Sendable (String) -> Void = { _ in }

    /// The defaults.
    public init() {}

    /// ``receiveBufferBytes``, or what is best here.
    var actualReceiveBufferBytes: Int32 {
        receiveBufferBytes == 0 && bandwidthBytesPerSecond != nil ? 256 << 10 : receiveBufferBytes
    }

    func validated() throws(NBDError) -> Configuration {
        let counts = [
            maximumConnections, maximumOptions, maximumPendingRequests, maximumPendingBytes,
            maximumQueuedReads, maximumExtents,
        ]
        let times = [
            handshakeTimeoutMilliseconds, requestTimeoutMilliseconds, replyTimeoutMilliseconds,
            idleMilliseconds,
        ]
        guard counts.allSatisfy({ $0 > 0 }), times.allSatisfy({ $0 > 0 }), readerThreads >= 0 else {
            throw NBDError(.invalidConfiguration, "a limit of the NBD server is not positive")
        }
        guard (1 << 20)...(64 << 20) ~= maximumPayloadBytes else {
            throw NBDError(
                .invalidConfiguration,
                "the longest NBD request must be 1 MiB to 64 MiB, not \(maximumPayloadBytes) bytes"
            )
        }
        if let rate = bandwidthBytesPerSecond, !((4 << 10)...(4 << 40) ~= rate) {
            throw NBDError(
                .invalidConfiguration,
                "the bandwidth must be 4 KiB to 4 TiB a second, not \(rate) bytes"
            )
        }
        // The longest option carries an export name (4096 bytes) and a query; all of it must fit
        // into the receive buffer.
        guard 4200...(ReceiveBuffer.capacityBytes / 2) ~= maximumOptionBytes else {
            throw NBDError(
                .invalidConfiguration,
                "the longest NBD option must be 4200 bytes to 128 KiB, not \(maximumOptionBytes)"
            )
        }
        return self
    }
}
