internal import CFootingXML

extension XMLElement {
    /// The element as a document in UTF-8 without an XML declaration, written by libxml2.
    ///
    /// Indented by two blanks; the same element gives the same text.
    func document() throws(ConversionError) -> String {
        guard let writer = unsafe footing_xml_writer_create() else { throw .outOfMemory }
        defer { unsafe footing_xml_writer_destroy(writer) }
        try unsafe write(to: writer)
        var count = 0
        guard let bytes = unsafe footing_xml_writer_finish(writer, &count) else {
            throw .outOfMemory
        }
        let text = unsafe UnsafeRawBufferPointer(start: bytes, count: count)
        return unsafe String(decoding: text, as: UTF8.self)
    }

    private func write(to writer: OpaquePointer) throws(ConversionError) {
        var status = unsafe footing_xml_writer_start(writer, name)
        for attribute in attributes {
            status |= unsafe footing_xml_writer_attribute(writer, attribute.name, attribute.value)
        }
        if let text { status |= unsafe footing_xml_writer_text(writer, text) }
        guard status == 0 else { throw .outOfMemory }
        for child in children { try unsafe child.write(to: writer) }
        guard unsafe footing_xml_writer_end(writer) == 0 else { throw .outOfMemory }
    }
}
