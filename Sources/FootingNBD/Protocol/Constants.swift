internal import FootingSystem

/// The numbers of the NBD protocol, under the names of its document, in Swift's form.
enum Wire {
    /// "NBDMAGIC": the server's first eight bytes.
    static let greetingMagic: UInt64 = 0x4e42_444d_4147_4943
    /// "IHAVEOPT": the next eight, and the start of every option.
    static let optionMagic: UInt64 = 0x4948_4156_454f_5054
    static let optionReplyMagic: UInt64 = 0x0003_e889_0455_65a9
    static let requestMagic: UInt32 = 0x2560_9513
    static let simpleReplyMagic: UInt32 = 0x6744_6698
    static let structuredReplyMagic: UInt32 = 0x668e_33ef

    static let greetingBytes = 18
    static let clientFlagsBytes = 4
    static let optionHeaderBytes = 16
    static let requestBytes = 28
    static let simpleReplyBytes = 16
    static let structuredReplyBytes = 20
    /// "Export name" under "String lengths".
    static let maximumNameBytes = 4096

    /// `NBD_FLAG_FIXED_NEWSTYLE` and `NBD_FLAG_NO_ZEROES`, the same bits in both directions.
    static let fixedNewstyle: UInt32 = 1 << 0
    static let noZeroes: UInt32 = 1 << 1

    static let allocationContext = "base:allocation"
    static let allocationContextIdentifier: UInt32 = 1
    static let stateHole: UInt32 = 1 << 0
    static let stateZero: UInt32 = 1 << 1
}

/// `NBD_OPT_…`: what a client asks during the handshake.
enum Option: UInt32 {
    case exportName = 1
    case abort = 2
    case list = 3
    case peekExport = 4
    case startTLS = 5
    case info = 6
    case go = 7
    case structuredReply = 8
    case listMetaContext = 9
    case setMetaContext = 10
    case extendedHeaders = 11

    /// Whether it wants, or wants to know of, something that is served.
    var asksForExport: Bool {
        switch self {
        case .exportName, .list, .peekExport, .info, .go, .listMetaContext, .setMetaContext: true
        case .abort, .startTLS, .structuredReply, .extendedHeaders: false
        }
    }
}

/// `NBD_REP_…`: what the server answers to an option.
enum OptionReply: UInt32 {
    case acknowledged = 1
    case server = 2
    case information = 3
    case metaContext = 4
    case unsupported = 0x8000_0001
    case policy = 0x8000_0002
    case invalid = 0x8000_0003
    case unknown = 0x8000_0006
    case tooBig = 0x8000_0009
}

/// `NBD_INFO_…`: what the server tells of an export.
enum Information: UInt16 {
    case export = 0
    case name = 1
    case description = 2
    case blockSize = 3
}

/// Transmission flags: what a client may do with the export.
struct TransmissionFlags: OptionSet, Sendable {
    let rawValue: UInt16
    static let hasFlags = TransmissionFlags(rawValue: 1 << 0)
    static let readOnly = TransmissionFlags(rawValue: 1 << 1)
    static let sendFlush = TransmissionFlags(rawValue: 1 << 2)
    static let sendForceUnitAccess = TransmissionFlags(rawValue: 1 << 3)
    static let sendTrim = TransmissionFlags(rawValue: 1 << 5)
    static let sendWriteZeroes = TransmissionFlags(rawValue: 1 << 6)
    static let sendDontFragment = TransmissionFlags(rawValue: 1 << 7)
    static let canMultiConnect = TransmissionFlags(rawValue: 1 << 8)
    static let sendCache = TransmissionFlags(rawValue: 1 << 10)
    static let sendFastZero = TransmissionFlags(rawValue: 1 << 11)
}

/// `NBD_CMD_…`: what a request asks.
enum Command: UInt16 {
    case read = 0
    case write = 1
    case disconnect = 2
    case flush = 3
    case trim = 4
    case cache = 5
    case writeZeroes = 6
    case blockStatus = 7
}

/// `NBD_CMD_FLAG_…`: how it is to be done.
struct CommandFlags: OptionSet, Sendable {
    let rawValue: UInt16
    static let forceUnitAccess = CommandFlags(rawValue: 1 << 0)
    static let noHole = CommandFlags(rawValue: 1 << 1)
    static let dontFragment = CommandFlags(rawValue: 1 << 2)
    static let requestOne = CommandFlags(rawValue: 1 << 3)
    static let fastZero = CommandFlags(rawValue: 1 << 4)
}

/// Chunks of a structured reply.
enum Chunk: UInt16 {
    case none = 0
    case offsetData = 1
    case blockStatus = 5
    case error = 0x8001
    case errorOffset = 0x8002
}

/// What a reply may say: the protocol's "Error values".
///
/// Numbers are those of Linux, whatever runs here.
struct WireError: Equatable, Sendable {
    let rawValue: UInt32

    static let notPermitted = WireError(rawValue: 1)
    static let inputOutput = WireError(rawValue: 5)
    static let noMemory = WireError(rawValue: 12)
    static let invalid = WireError(rawValue: 22)
    static let noSpace = WireError(rawValue: 28)
    static let overflow = WireError(rawValue: 75)
    static let notSupported = WireError(rawValue: 95)
    static let shutdown = WireError(rawValue: 108)

    init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The nearest error that the protocol knows.
    init(_ error: Errno) {
        self =
            switch error {
            case .notPermitted, .permissionDenied, .readOnlyFileSystem: .notPermitted
            case .invalidArgument: .invalid
            case .noSpace, .quotaExceeded, .fileTooLarge: .noSpace
            case .tooLarge: .overflow
            case .notSupported: .notSupported
            case .noMemory: .noMemory
            case .isShutDown: .shutdown
            default: .inputOutput
            }
    }
}
