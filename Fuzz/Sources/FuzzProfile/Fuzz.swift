internal import FootingTuning

/// Profiles: what is taken is written and read again as the same, what is refused has a reason.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: data, count: size))
    do throws(ProfileError) {
        let profile = try ProfileParser.parse(bytes)
        let again = try ProfileParser.parse(Array(profile.text().utf8))
        precondition(again == profile, "what was written is read as something else")
    } catch {
        precondition(!error.message.isEmpty, "an error without words")
        let lines = bytes.count { $0 == 10 } + 1
        precondition((1...lines).contains(error.line ?? 1), "a line that there is not")
    }
    var profile = BuiltInProfiles.all[0]
    let text = String(decoding: bytes, as: UTF8.self)
    do throws(ProfileError) { try profile.set(assignments: text) } catch {
        precondition(error.line == nil, "a line on the command line")
    }
    return 0
}
