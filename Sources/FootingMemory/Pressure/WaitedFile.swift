internal import FootingSystem
internal import Glibc

/// A descriptor that becomes ready when there is pressure.
struct WaitedFile: Sendable {
    /// What its readiness means.
    enum Kind: Sendable {
        /// A PSI trigger: POLLPRI, at most once in its window.
        case trigger(PressureEvents)
        /// `memory.events`: POLLPRI until it is read again.
        case groupEvents(GroupEvents)
        /// An eventfd that version 1 of control groups counts up.
        case counter(PressureEvents)
        /// A FIFO or a socket of the service manager: what is in it means nothing.
        case stream(PressureEvents)
    }

    /// Closes the descriptor with the last copy.
    final class Owner: Sendable {
        let number: Int32
        private let descriptor: FileDescriptor?
        private let file: SampledFile?

        init(_ descriptor: consuming FileDescriptor) {
            number = descriptor.number
            self.descriptor = consume descriptor
            file = nil
        }

        /// A file that is read, too: reading it resets what the kernel tells.
        init(_ file: SampledFile) {
            number = file.number
            descriptor = nil
            self.file = file
        }
    }

    /// A source that told is not listened to for so long: nothing may keep the monitor awake.
    private static let pauseNanoseconds: UInt64 = 50_000_000
    private static let gone = Int16(POLLERR | POLLHUP | POLLNVAL)

    let name: String
    private(set) var kind: Kind
    private let owner: Owner
    private var pausedUntil: UInt64 = 0

    init(_ name: String, _ kind: Kind, _ owner: Owner) {
        self.name = name
        self.kind = kind
        self.owner = owner
    }

    /// What `poll(2)` is to wait for; nothing while it is paused.
    func request(at nanoseconds: UInt64) -> pollfd? {
        guard nanoseconds >= pausedUntil else { return nil }
        let isUrgent =
            switch kind {
            case .trigger, .groupEvents: true
            case .counter, .stream: false
            }
        let events = Int16(isUrgent ? POLLPRI : POLLIN)
        return pollfd(fd: owner.number, events: events, revents: 0)
    }

    /// What it tells.
    ///
    /// - Returns: the events; nil if it is gone and will never tell anything again.
    mutating func answer(
        _ ready: Int16,
        at nanoseconds: UInt64,
        _ buffer: inout [UInt8]
    ) -> PressureEvents? {
        pausedUntil = nanoseconds.plus(Self.pauseNanoseconds)
        if ready & Int16(POLLNVAL) != 0 { return nil }
        switch kind {
        case .trigger(let events):
            return ready & Self.gone == 0 ? events : nil
        case .groupEvents(var counts):
            // POLLERR is part of every notice of a control group's file.
            guard let events = try? counts.events(&buffer) else { return nil }
            kind = .groupEvents(counts)
            return events
        case .counter(let events), .stream(let events):
            var discarded = [UInt8](repeating: 0, count: 4096)
            let number = owner.number
            let count = unsafe discarded.withUnsafeMutableBytes {
                unsafe Glibc.read(number, $0.baseAddress, $0.count)
            }
            if count > 0 { return events }
            return count < 0 && (errno == EAGAIN || errno == EINTR) ? [] : nil
        }
    }
}
