@_spi(Fuzzing) internal import FootingDisk
internal import FootingSystem
internal import FuzzSupport

private let closed = Image(isClosed: true)
private let left = Image(isClosed: false)

/// The segment table, the pages of the map, the snapshots, and the superblock that names them.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    var input = unsafe Input(data, size)
    let choice = input.byte()
    if choice & 3 != 3 {
        (choice & 1 == 0 ? closed : left).run(&input, [.table, .mapPage, .superblock, .snapshots])
        return 0
    }
    let page = AlignedBuffer(count: 4096)
    let rest = input.rest(atMost: 4096)
    unsafe rest.withUnsafeBytes { unsafe page.copy(from: $0, at: 0) }
    page.set(page.checksum(8..<4096), at: 4)
    unsafe FormatFuzzing.page(UnsafeRawBufferPointer(page.bytes), volume: Image.volume)
    return 0
}
