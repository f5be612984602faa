public import FootingSystem
import Synchronization

/// Serves one disk to NBD clients, over Unix sockets and this machine's own TCP addresses.
///
/// ```swift
/// let server = try Server(export: disk)
/// try server.listen(unixPath: "/run/footing/disk.sock")
/// try server.start()
/// …
/// try server.stop(within: .seconds(10))
/// ```
/// Thread-safe throughout. TCP is refused beyond the loopback interface: NBD itself neither
/// encrypts nor authenticates.
public final class Server: Sendable {
    struct State: ~Copyable {
        var listeners: [Listener] = []
        var links: [UInt64: Link] = [:]
        /// Of the links, those that are only told why they are not served.
        var refusedLinks: Set<UInt64> = []
        var nextIdentifier: UInt64 = 1
        var isStarted = false
        var isAccepting = false
        var isStopping = false
        /// New clients wait.
        var isHeld = false

        var servedCount: Int { links.count - refusedLinks.count }
    }

    /// How many clients at a time are told why they are not served; beyond, none is told.
    private static let refusedLinksMax = 8

    /// The disk.
    public let export: any Export
    /// What else clients may ask for.
    let others: (any ExportSource)?
    let configuration: Configuration
    let log: LimitedLog
    /// Clients that come in vain may come for days: told now and then is enough.
    private let refusalLog: LimitedLog
    let counters = Counters()
    let pool: ReaderPool
    private let pollingPlaces: PollingPlaces
    /// Nil where there is no limit.
    let bandwidth: BandwidthLimit?
    let state = Locked(State())
    let stopEvent: Event

    /// A server that does not listen yet.
    ///
    /// - Parameter others: what clients may ask for beside the disk.
    public init(
        export: any Export,
        others: (any ExportSource)? = nil,
        configuration: Configuration = Configuration()
    ) throws(NBDError) {
        self.others = others
        self.configuration = try configuration.validated()
        self.export = export
        bandwidth = configuration.bandwidthBytesPerSecond.map { BandwidthLimit(bytesPerSecond: $0) }
        log = LimitedLog(configuration.log)
        refusalLog = LimitedLog(configuration.log, lines: 1, within: .seconds(10))
        pool = ReaderPool(
            maximumThreads: configuration.readerThreads,
            maximumQueued: configuration.maximumQueuedReads
        )
        pollingPlaces = PollingPlaces(
            processorCount: (try? ProcessorAffinity.current().count) ?? 1,
            processors: configuration.processors
        )
        do throws(Errno) {
            stopEvent = try Event()
        } catch {
            throw NBDError(.systemCall, "cannot make an event for the NBD server", cause: error)
        }
        try Self.check(export)
    }

    private static func check(_ export: any Export) throws(NBDError) {
        let minimum = export.minimumBlockBytes
        let preferred = export.preferredBlockBytes
        guard minimum.nonzeroBitCount == 1, minimum <= 64 << 10, preferred.nonzeroBitCount == 1,
            preferred >= max(minimum, 512), preferred <= 32 << 20
        else {
            throw NBDError(
                .invalidConfiguration,
                "blocks of \(minimum) (least) and \(preferred) bytes cannot be offered by NBD"
            )
        }
        guard export.sizeBytes % UInt64(minimum) == 0, export.sizeBytes <= UInt64(Int64.max) else {
            throw NBDError(
                .invalidConfiguration,
                "a disk of \(export.sizeBytes) bytes is not made of blocks of \(minimum) bytes"
            )
        }
        guard export.name.utf8.count <= Wire.maximumNameBytes,
            export.summary.utf8.count <= Wire.maximumNameBytes
        else {
            throw NBDError(.invalidConfiguration, "an export's name has at most 4096 bytes")
        }
    }

    /// What the server did so far.
    public var statistics: Statistics {
        var statistics = counters.read(activeConnections: state.withLock { $0.servedCount })
        if let waits = bandwidth?.waits {
            (statistics.heldRequests, statistics.heldNanoseconds) = waits
        }
        return statistics
    }

    /// How long requests took, and what became of them.
    public var requestStatistics: RequestStatistics { counters.meter.read() }

    /// Starts to accept connections, on a thread of its own.
    public func start() throws(NBDError) {
        guard begin() else { return }
        do throws(Errno) {
            try Thread(name: "nbd-accept") { self.acceptAll() }.detach()
        } catch {
            state.withLock { $0.isAccepting = false }
            throw NBDError(.systemCall, "cannot start the NBD server's thread", cause: error)
        }
    }

    /// Accepts connections on the calling thread, until ``stop(within:)``.
    public func run() {
        if begin() { acceptAll() }
    }

    private func begin() -> Bool {
        state.withLock { state in
            if state.isStarted || state.isStopping { return false }
            state.isStarted = true
            state.isAccepting = true
            return true
        }
    }

    /// Serves a socket that is connected already, as an inherited one or one end of a pair.
    public func serve(_ socket: consuming FileDescriptor) throws(NBDError) {
        let link: Link
        do throws(Errno) {
            let identifier = state.withLock { state in
                defer { state.nextIdentifier += 1 }
                return state.nextIdentifier
            }
            link = try Link(identifier: identifier, socket: socket)
        } catch {
            counters.refusedConnections.add(1, ordering: .relaxed)
            throw NBDError(.systemCall, "a connection was closed: no event for it", cause: error)
        }
        let refusal = try enlist(link)
        do throws(Errno) {
            try bandwidth?.start()
            try Thread(name: "nbd-\(link.identifier)") { self.converse(link, refusal) }.detach()
        } catch {
            delist(link)
            if refusal == nil { counters.refusedConnections.add(1, ordering: .relaxed) }
            throw NBDError(.systemCall, "a connection was closed: no thread for it", cause: error)
        }
        if refusal == nil { counters.connections.add(1, ordering: .relaxed) }
    }

    /// Takes a connection in, if only to tell it why it is not served.
    ///
    /// - Returns: what to tell it; nil if it is served.
    private func enlist(_ link: Link) throws(NBDError) -> String? {
        enum Place { case served, told, unheard, gone }
        let limit = configuration.maximumConnections
        let place: Place = state.withLock { state in
            while state.isHeld { self.state.wait(&state) }
            if state.isStopping { return .gone }
            guard state.servedCount >= limit else {
                state.links[link.identifier] = link
                return .served
            }
            guard state.refusedLinks.count < Self.refusedLinksMax else { return .unheard }
            state.links[link.identifier] = link
            state.refusedLinks.insert(link.identifier)
            return .told
        }
        if place == .served { return nil }
        counters.refusedConnections.add(1, ordering: .relaxed)
        guard place != .gone else {
            throw NBDError(.systemCall, "a connection was closed: the server stops")
        }
        let clients = limit == 1 ? "1 client is" : "\(limit) clients are"
        let reason = "\(clients) connected to this disk already, which is its limit"
        refusalLog("an NBD connection was refused: \(reason)")
        if place == .told { return reason }
        throw NBDError(.connectionRefused, "a connection was closed: \(reason)")
    }

    private func delist(_ link: Link) {
        state.withLock { state in
            state.links.removeValue(forKey: link.identifier)
            state.refusedLinks.remove(link.identifier)
        }
        state.wakeAll()
    }

    /// A connection's whole life, on its own thread.
    private func converse(_ link: Link, _ refusal: String?) {
        // The kernel's limits may allow less; a default is good enough then.
        try? link.socket.setSocketBuffers(
            sendBytes: configuration.sendBufferBytes,
            receiveBytes: configuration.actualReceiveBufferBytes
        )
        // Fails on a Unix socket, which has no delay.
        try? link.socket.setNoDelay()
        do throws(Errno) {
            var connection = try Connection(
                link: link,
                export: export,
                others: others,
                configuration: configuration,
                pool: pool,
                pollingPlaces: pollingPlaces,
                counters: counters,
                bandwidth: bandwidth
            )
            if case .broken(let reason) = connection.run(refusing: refusal), refusal == nil {
                log("NBD connection \(link.identifier) was cut off: \(reason)")
                counters.brokenConnections.add(1, ordering: .releasing)
            }
        } catch {
            link.cut()
            log("NBD connection \(link.identifier) was cut off: no buffers for it: \(error)")
            counters.brokenConnections.add(1, ordering: .releasing)
        }
        delist(link)
    }
}
