@_spi(Fuzzing) import FootingHost

/// Texts and tables of `/proc`, `/sys` and firmware: CPU lists, mountinfo, cgroup, sysinfo, SMBIOS,
/// device tree, CPUID recordings, names and UUIDs of devices, marks on disks.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    HostFuzzing.parse(unsafe [UInt8](UnsafeRawBufferPointer(start: data, count: size)))
    return 0
}
