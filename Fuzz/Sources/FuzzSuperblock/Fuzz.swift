@_spi(Fuzzing) internal import FootingDisk
internal import FootingSystem
internal import FuzzSupport

private let image = Image(isClosed: true)

/// The superblock: as a page of its own with a right checksum, and edited within a container.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    var input = unsafe Input(data, size)
    if input.byte() & 1 == 0 {
        image.run(&input, [.superblock])
        return 0
    }
    let page = AlignedBuffer(count: 4096)
    let rest = input.rest(atMost: 4096)
    unsafe rest.withUnsafeBytes { unsafe page.copy(from: $0, at: 0) }
    page.set(page.checksum(12..<4096), at: 8)
    unsafe FormatFuzzing.page(UnsafeRawBufferPointer(page.bytes), volume: Image.volume)
    return 0
}
