@_spi(Fuzzing) import FootingHost

/// The PCI configuration space of a virtio balloon, as a hypervisor that means harm would show it.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    HostFuzzing.parse(
        configurationSpace: unsafe [UInt8](UnsafeRawBufferPointer(start: data, count: size))
    )
    return 0
}
