internal import FootingNBD
internal import FootingSystem
internal import FuzzSupport

/// A whole connection over a socket pair: a proper handshake, then requests made of the input.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    var input = unsafe Input(data, size)
    let choice = input.byte()
    let isStructured = choice & 1 != 0
    let isReadOnly = choice & 0x0e == 2
    var stream = handshake(isStructured)
    if choice & 0x30 == 0x30 {
        stream += input.rest(atMost: 1 << 16)
    } else {
        var count = 0
        while !input.isEmpty, count < 100, stream.count < 1 << 20 {
            appendRequest(&input, &stream)
            count += 1
        }
    }
    do {
        try converse(stream, with: isReadOnly ? readOnly : writable, isStructured)
    } catch {
        preconditionFailure("the fuzzer's own socket failed: \(error)")
    }
    return 0
}

private let writable = makeServer(isReadOnly: false)
private let readOnly = makeServer(isReadOnly: true)

private func makeServer(isReadOnly: Bool) -> Server {
    do throws(NBDError) {
        return try Server(export: FuzzExport(isReadOnly: isReadOnly))
    } catch {
        preconditionFailure("no server: \(error)")
    }
}

private func append(_ value: UInt64, _ count: Int, _ bytes: inout [UInt8]) {
    for index in (0..<count).reversed() {
        bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index)))
    }
}

private func appendOption(_ number: UInt64, _ data: [UInt8], _ bytes: inout [UInt8]) {
    bytes += Array("IHAVEOPT".utf8)
    append(number, 4, &bytes)
    append(UInt64(data.count), 4, &bytes)
    bytes += data
}

private func handshake(_ isStructured: Bool) -> [UInt8] {
    var bytes: [UInt8] = [0, 0, 0, 3]
    if isStructured {
        appendOption(8, [], &bytes)
        let context = Array("base:allocation".utf8)
        appendOption(10, [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 15] + context, &bytes)
    }
    appendOption(7, [0, 0, 0, 0, 0, 0], &bytes)
    return bytes
}

/// A request: most are right, some not.
private func appendRequest(_ input: inout Input, _ stream: inout [UInt8]) {
    let command = UInt64(input.byte())
    let flags = input.number(bytes: 1)
    let oddity = input.byte()
    var offset = input.number(bytes: 2)
    var length = input.number(bytes: 2)
    let fill = input.byte()
    if oddity & 1 == 0 { offset *= 512 }
    // Up to 256 KiB, and seldom up to 2 MiB: long ones are slow and tell little more.
    if oddity & 2 == 0 { length = length % (oddity & 0x40 == 0 ? 512 : 4096) * 512 }
    if oddity & 0x0c == 0x0c { offset |= 0xffff_ffff_0000_0000 }
    if oddity & 0x30 == 0x30 { length |= 0xff00_0000 }
    append(oddity == 0xff ? 0x2560_9512 : 0x2560_9513, 4, &stream)
    append(flags & 0x1f | (flags & 0x80) << 8, 2, &stream)
    append(command & 0x80 == 0 ? command % 9 : command, 2, &stream)
    append(UInt64(fill), 8, &stream)
    append(offset, 8, &stream)
    append(length, 4, &stream)
    if command & 0x80 == 0, command % 9 == 1 {
        let count = oddity & 0xc0 == 0xc0 ? length / 2 : length
        stream += repeatElement(fill, count: Int(min(count, 2 << 20)))
    }
}

private func converse(_ stream: [UInt8], with server: Server, _ isStructured: Bool) throws {
    let (own, other) = try Socket.pair()
    let client = Client(FileDescriptor(owning: own))
    try server.serve(FileDescriptor(owning: other))
    let pause = try Event()
    var done = 0
    var replies: [UInt8] = []
    var checker = ReplyChecker(isStructured: isStructured)
    let buffer = AlignedBuffer(count: 256 << 10)
    while true {
        if done < stream.count {
            do throws(Errno) {
                done += try client.send(stream, from: done)
            } catch {
                // Cut off: what it said before is still there to be read.
                if error != .again { done = stream.count }
            }
            if done == stream.count { Socket.shutDown(client.socket, .sending) }
        }
        do throws(Errno) {
            let count = try unsafe client.socket.receive(into: buffer.bytes, waits: false)
            guard count > 0 else { break }
            unsafe replies.append(contentsOf: buffer.bytes[..<count])
            checker.check(&replies)
        } catch {
            guard error == .again else { break }
            let interest: Event.Interest = done < stream.count ? .writable : .readable
            _ = try pause.wait(
                for: interest,
                descriptor: client.socket.number,
                timeoutMilliseconds: 1
            )
        }
    }
}

private final class Client {
    let socket: FileDescriptor

    init(_ socket: consuming FileDescriptor) { self.socket = socket }

    func send(_ bytes: [UInt8], from start: Int) throws(Errno) -> Int {
        try unsafe bytes.span.withUnsafeBytes { all throws(Errno) -> Int in
            let rest = unsafe UnsafeRawBufferPointer(rebasing: all[start...])
            return unsafe try socket.send(rest, waits: false)
        }
    }
}
