internal import CFootingXML

/// An XML document and where each part of it stands in its source.
///
/// Read by libxml2, and never written again: who changes something replaces bytes of the source
/// (``SourceEdit``), so that everything else stays as it is, white space and quotes included.
public struct XMLDocument: Sendable {
    /// An attribute of an element.
    public struct Attribute: Sendable, Hashable {
        /// The name without its prefix.
        public let name: String
        /// What stands before the colon.
        public let prefix: String?
        /// The value, its references resolved.
        public let value: String
        /// Where the value stands between its quotes, in bytes; nil where its source is not what it
        /// means, as with references.
        public let place: Range<Int>?
    }

    /// An element.
    public struct Element: Sendable, Hashable {
        /// The name without its prefix.
        public let name: String
        /// What stands before the colon.
        public let prefix: String?
        /// The namespace that the prefix, or the lack of one, stands for.
        public let namespace: String?
        /// The element around it, as an index; nil for the root.
        public let parent: Int?
        /// From `<` to behind `>`, in bytes.
        public let startTag: Range<Int>
        /// The same of the end tag; empty behind the start tag if that ends with `/>`.
        public internal(set) var endTag: Range<Int>
        /// In the order of the source; namespace declarations are not among them.
        public internal(set) var attributes: [Attribute] = []
        /// The elements right within it, as indices.
        public internal(set) var children: [Int] = []
        /// The text right within it, joined.
        public internal(set) var text = ""

        /// The value of an attribute without a prefix.
        public subscript(name: String) -> String? { attribute(name)?.value }

        /// An attribute without a prefix.
        public func attribute(_ name: String) -> Attribute? {
            attributes.first { $0.name == name && $0.prefix == nil }
        }

        /// The whole element, in bytes.
        public var place: Range<Int> { startTag.lowerBound..<endTag.upperBound }
    }

    /// How much a document may hold.
    public struct Limits: Sendable, Hashable {
        /// The largest source in bytes.
        ///
        /// Four times what KubeVirt can hand to a hook. Of a tag with many attributes libxml2
        /// compares each with each other one, before it tells of the first.
        public var bytesMaximum = 512 << 10
        /// Elements within each other.
        public var depthMaximum = 64
        /// Elements, attributes and declarations of namespaces together.
        public var countMaximum = 100_000

        /// The limits that are used where none are given: a domain has some hundred elements in
        /// ten levels.
        public init() {}
    }

    /// What was read.
    public let source: [UInt8]
    /// In the order of their start tags; the first is the root.
    public let elements: [Element]

    /// Reads a document: no document type, no entities but XML's own, no network, no files.
    ///
    /// - Throws: ``XMLReadError``.
    public init(_ source: [UInt8], limits: Limits = Limits()) throws(XMLReadError) {
        let builder = Builder()
        var message = [CChar](repeating: 0, count: 256)
        let status = unsafe source.withUnsafeBytes { bytes in
            unsafe footing_xml_read(
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                bytes.count,
                limits.bytesMaximum,
                Int32(limits.depthMaximum),
                Int32(limits.countMaximum),
                { context, step in
                    guard let context = unsafe context, let step = unsafe step else { return 0 }
                    let builder = unsafe Unmanaged<Builder>.fromOpaque(context)
                    unsafe builder.takeUnretainedValue().take(step.pointee)
                    return 0
                },
                Unmanaged.passUnretained(builder).toOpaque(),
                &message,
                256
            )
        }
        guard status == 0 else {
            let words = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            throw XMLReadError(status: status, message: String(decoding: words, as: UTF8.self))
        }
        guard !builder.elements.isEmpty, builder.open.isEmpty else { throw .position }
        self.source = source
        elements = builder.elements
    }

    /// The root.
    public var root: Element { elements[0] }

    /// The elements right within one that have a name and no namespace, as indices.
    public func children(of index: Int, _ name: String) -> [Int] {
        elements[index].children.filter {
            elements[$0].name == name && elements[$0].namespace == nil
        }
    }

    /// The first element on a path of names from the root's children down, as an index.
    public func first(_ path: String...) -> Int? {
        var index = 0
        for name in path {
            guard let next = children(of: index, name).first else { return nil }
            index = next
        }
        return index
    }

    /// Puts elements together from libxml2's steps.
    private final class Builder {
        var elements: [Element] = []
        var open: [Int] = []

        func take(_ step: footing_xml_step) {
            let place = unsafe Int(step.place.start)..<Int(step.place.end)
            switch unsafe footing_xml_kind(UInt32(step.kind)) {
            case FOOTING_XML_START: unsafe start(step, place)
            case FOOTING_XML_ATTRIBUTE:
                guard let element = open.last else { return }
                let attribute = unsafe Attribute(
                    name: text(step.name) ?? "",
                    prefix: text(step.prefix),
                    value: value(step),
                    place: place.lowerBound > 0 ? place : nil
                )
                elements[element].attributes.append(attribute)
            case FOOTING_XML_END:
                if let element = open.popLast() { elements[element].endTag = place }
            case FOOTING_XML_TEXT:
                if let element = open.last { unsafe elements[element].text += value(step) }
            default: break
            }
        }

        private func start(_ step: footing_xml_step, _ place: Range<Int>) {
            let index = elements.count
            unsafe elements.append(
                Element(
                    name: text(step.name) ?? "",
                    prefix: text(step.prefix),
                    namespace: text(step.uri),
                    parent: open.last,
                    startTag: place,
                    endTag: place.upperBound..<place.upperBound
                )
            )
            if let parent = open.last { elements[parent].children.append(index) }
            open.append(index)
        }

        private func text(_ words: UnsafePointer<CChar>?) -> String? {
            guard let words = unsafe words else { return nil }
            return unsafe String(cString: words)
        }

        private func value(_ step: footing_xml_step) -> String {
            let bytes = unsafe UnsafeRawBufferPointer(start: step.value, count: step.value_count)
            return unsafe String(decoding: bytes, as: UTF8.self)
        }
    }
}
