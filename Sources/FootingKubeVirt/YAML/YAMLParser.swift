internal import CLibYAML

/// libyaml's parser on a text in memory.
///
/// It is given a copy of the text, which must outlive the parser.
@safe final class YAMLParser {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let text: UnsafeMutableBufferPointer<UInt8>

    /// Begins to read a text.
    ///
    /// - Parameters:
    ///   - bytes: the text.
    ///   - hasMemory: whether libyaml gets its memory; refused by tests alone.
    init(_ bytes: [UInt8], hasMemory: Bool = true) throws(YAMLError) {
        // The properties are set last: an object that is complete is also taken apart by `deinit`
        // when this throws, and then everything would be given back twice.
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        guard hasMemory, unsafe yaml_parser_initialize(parser) == 1 else {
            unsafe parser.deallocate()
            throw YAMLError(.outOfMemory, at: YAMLPosition(line: 1, column: 1))
        }
        let text = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
        _ = unsafe text.initialize(from: bytes)
        unsafe yaml_parser_set_input_string(parser, text.baseAddress, text.count)
        unsafe self.parser = parser
        unsafe self.text = text
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
        unsafe text.deallocate()
    }

    /// The next event.
    func next() throws(YAMLError) -> YAMLEvent {
        var event = unsafe yaml_event_t()
        guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw failure() }
        defer { unsafe yaml_event_delete(&event) }
        let mark = unsafe event.start_mark
        let position = Self.position(mark)
        return unsafe YAMLEvent(kind: Self.kind(of: event), position: position)
    }

    private static func kind(of event: yaml_event_t) -> YAMLEvent.Kind {
        switch unsafe event.type {
        case YAML_STREAM_END_EVENT: return .streamEnd
        case YAML_DOCUMENT_START_EVENT: return .documentStart
        case YAML_DOCUMENT_END_EVENT: return .documentEnd
        case YAML_ALIAS_EVENT:
            return .alias(unsafe words(event.data.alias.anchor) ?? "")
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            return .scalar(
                unsafe String(decoding: bytes, as: UTF8.self),
                isPlain: unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE,
                YAMLProperties(
                    anchor: unsafe words(scalar.anchor),
                    tag: unsafe words(scalar.tag)
                )
            )
        case YAML_SEQUENCE_START_EVENT:
            let start = unsafe event.data.sequence_start
            return .listStart(
                YAMLProperties(anchor: unsafe words(start.anchor), tag: unsafe words(start.tag))
            )
        case YAML_SEQUENCE_END_EVENT: return .listEnd
        case YAML_MAPPING_START_EVENT:
            let start = unsafe event.data.mapping_start
            return .mapStart(
                YAMLProperties(anchor: unsafe words(start.anchor), tag: unsafe words(start.tag))
            )
        case YAML_MAPPING_END_EVENT: return .mapEnd
        default: return .streamStart
        }
    }

    private static func words(_ text: UnsafeMutablePointer<UInt8>?) -> String? {
        guard let text = unsafe text else { return nil }
        return unsafe String(cString: text)
    }

    private static func position(_ mark: yaml_mark_t) -> YAMLPosition {
        YAMLPosition(line: mark.line + 1, column: mark.column + 1)
    }

    private func failure() -> YAMLError {
        let problem = unsafe parser.pointee.problem.map { unsafe String(cString: $0) }
        switch unsafe parser.pointee.error {
        case YAML_MEMORY_ERROR:
            return YAMLError(.outOfMemory, at: unsafe Self.position(parser.pointee.mark))
        case YAML_READER_ERROR:
            // The reader knows no lines of what it cannot decode; it is ahead of the parser.
            return YAMLError(
                .malformed(problem ?? "the text is not UTF-8"),
                at: unsafe Self.position(parser.pointee.mark)
            )
        default:
            return YAMLError(
                .malformed(problem ?? "the text is not YAML"),
                at: unsafe Self.position(parser.pointee.problem_mark)
            )
        }
    }
}

/// One step through a document.
struct YAMLEvent {
    /// What the step is.
    enum Kind {
        case streamStart
        case streamEnd
        case documentStart
        case documentEnd
        case alias(String)
        case scalar(String, isPlain: Bool, YAMLProperties)
        case listStart(YAMLProperties)
        case listEnd
        case mapStart(YAMLProperties)
        case mapEnd
    }

    let kind: Kind
    let position: YAMLPosition
}

/// What a value can carry in front.
struct YAMLProperties {
    let anchor: String?
    let tag: String?
}
