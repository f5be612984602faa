/// What a fuzzer asks of the hook, whatever the bytes are.
@_spi(Fuzzing)
public enum HookFuzzing {
    /// Every wish at once.
    private static var request: TuningRequest {
        var request = TuningRequest()
        request.threads = .automatic
        request.queues = .automatic
        request.discard = "unmap"
        request.io = "native"
        request.cache = "none"
        request.node = 0
        return request
    }

    /// Changes a domain; the result must be what was meant, and the same when it is changed again.
    ///
    /// - Returns: whether the bytes are a document.
    public static func check(_ bytes: [UInt8]) -> Bool {
        guard let document = try? XMLDocument(bytes) else { return false }
        for element in document.elements {
            precondition(bytes[element.startTag.lowerBound] == UInt8(ascii: "<"))
            precondition(bytes[element.startTag.upperBound - 1] == UInt8(ascii: ">"))
            for attribute in element.attributes {
                guard let place = attribute.place else { continue }
                precondition(Array(attribute.value.utf8) == Array(bytes[place]))
            }
        }
        let first = changed(document)
        guard let again = try? XMLDocument(first) else {
            preconditionFailure("what was changed is no document")
        }
        precondition(changed(again) == first, "twice is not once")
        return true
    }

    private static func changed(_ document: XMLDocument) -> [UInt8] {
        var editor = DomainEditor(document)
        _ = editor.set("type", of: 0, to: "hyperv")
        guard let machine = try? VirtualMachineFacts(parsing: Array("{}".utf8)) else {
            preconditionFailure("an empty manifest is one")
        }
        var tuning = StorageTuning(request, machine, nodes: [0], editor: editor)
        tuning.run()
        if tuning.editor.isEmpty { return document.source }
        guard let result = tuning.editor.result() else {
            preconditionFailure("the result is not what was meant")
        }
        return result
    }
}
