internal import FootingSystem

/// The JSON parser: what it takes is written and read again as the same, what it refuses has a
/// place.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: data, count: size))
    let value: JSONValue
    do throws(JSONParseError) {
        value = try JSONValue(parsing: bytes)
    } catch {
        precondition((0...size).contains(error.offset), "a place outside of the document")
        return 0
    }
    let written = value.bytes()
    do throws(JSONParseError) {
        let again = try JSONValue(parsing: written, bytesMaximum: .max)
        precondition(again == value, "what was written is read as something else")
        precondition(again.bytes() == written, "a value has two texts")
    } catch {
        preconditionFailure("what was written cannot be read: \(error)")
    }
    return 0
}
