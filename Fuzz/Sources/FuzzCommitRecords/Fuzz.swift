@_spi(Fuzzing) internal import FootingDisk
internal import FootingSystem
internal import FuzzSupport

private let image = Image(isClosed: false)

/// The commits of a log that has to be replayed, and the superblock that says where it goes on.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    var input = unsafe Input(data, size)
    if input.byte() & 3 != 3 {
        image.run(&input, [.commit, .commit, .commit, .superblock])
        return 0
    }
    let page = AlignedBuffer(count: 4096)
    let rest = input.rest(atMost: 4096)
    unsafe rest.withUnsafeBytes { unsafe page.copy(from: $0, at: 0) }
    page.set(page.checksum(8..<4096), at: 4)
    unsafe FormatFuzzing.page(UnsafeRawBufferPointer(page.bytes), volume: Image.volume)
    return 0
}
