internal import CFootingXML

/// Why bytes are no XML document that is worked with.
public enum XMLReadError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not well-formed, in libxml2's words.
    case malformed(String)
    /// It declares a document type, which can hold entities.
    case documentType
    /// It is not in UTF-8.
    case encoding
    /// More elements within each other than allowed.
    case tooDeep
    /// More elements and attributes than allowed.
    case tooMany
    /// More bytes than allowed.
    case tooLarge
    /// The kernel gives no memory.
    case outOfMemory
    /// What libxml2 tells of positions does not fit the source.
    case position

    /// What is wrong, without a full stop.
    public var description: String {
        switch self {
        case .malformed(let words): words
        case .documentType: "it declares a document type"
        case .encoding: "it is not in UTF-8"
        case .tooDeep: "its elements are nested too deeply"
        case .tooMany: "it has too many elements and attributes"
        case .tooLarge: "it is larger than allowed"
        case .outOfMemory: "there is no memory for it"
        case .position: "libxml2 reads it differently from what stands there"
        }
    }

    /// The error of a status of `footing_xml_read` other than 0.
    init(status: Int32, message: String) {
        switch status {
        case FOOTING_XML_DOCTYPE.rawValue: self = .documentType
        case FOOTING_XML_ENCODING.rawValue: self = .encoding
        case FOOTING_XML_DEPTH.rawValue: self = .tooDeep
        case FOOTING_XML_COUNT.rawValue: self = .tooMany
        case FOOTING_XML_SIZE.rawValue: self = .tooLarge
        case FOOTING_XML_MEMORY.rawValue: self = .outOfMemory
        case FOOTING_XML_POSITION.rawValue: self = .position
        default: self = .malformed(message)
        }
    }
}
