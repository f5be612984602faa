@_spi(Fuzzing) internal import FootingKubeVirt

/// Domains: libxml2, the places it tells, and the changes that are made there.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: data, count: size))
    _ = HookFuzzing.check(bytes)
    return 0
}
