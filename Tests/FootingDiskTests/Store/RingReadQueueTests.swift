import CFootingTesting
import FootingSystem
import Glibc
import Testing

@testable import FootingDisk

/// Reads of a file by io_uring, and what becomes of them where it does not work.
@Suite struct RingReadQueueTests {
    private static let pageCount = 700

    private static let isThere = (try? Ring(entryCount: 1, isForThisThread: true)) != nil

    /// A file each page of which holds its number.
    private func makeFile() throws -> TemporaryFile {
        let file = TemporaryFile()
        let descriptor = try FileDescriptor.open(file.path, [.readWrite, .create, .exclusive])
        let page = AlignedBuffer(count: 4096)
        for number in 0..<Self.pageCount {
            page.set(UInt64(number), at: 0)
            let bytes = unsafe UnsafeRawBufferPointer(page.slice(0..<4096))
            try unsafe descriptor.write(at: UInt64(number) * 4096, bytes)
        }
        return file
    }

    /// Reads every page in one go, and one beyond the end, and says what came of each.
    private static func readAll(
        _ file: TemporaryFile,
        before wait: () -> Void
    ) throws -> (errors: [UInt64: Errno?], wrong: Int, isBroken: Bool) {
        let holder = Holder(try FileDescriptor.open(file.path, .readOnly))
        let queue = try unsafe RingReadQueue(file: holder.file.number, isForThisThread: true) {
            (offset, buffer) throws(Errno) in
            guard unsafe try holder.file.read(at: offset, into: buffer) == buffer.count else {
                throw .inputOutput
            }
        }
        let buffer = AlignedBuffer(count: (pageCount + 1) * 4096)
        var errors: [UInt64: Errno?] = [:]
        for page in 0...pageCount {
            let place = unsafe buffer.slice(page * 4096..<(page + 1) * 4096)
            unsafe queue.add(DirectRead(at: UInt64(page) * 4096, into: place), tag: UInt64(page))
        }
        wait()
        while queue.pendingCount > 0 {
            queue.wait(for: [])
            while let (tag, error, _) = queue.next() { errors[tag] = .some(error) }
        }
        let wrong = (0..<pageCount).count { page in
            errors[UInt64(page)] == .some(nil)
                && buffer.get(UInt64.self, at: page * 4096) != UInt64(page)
        }
        return (errors, wrong, queue.isBroken)
    }

    private final class Holder {
        let file: FileDescriptor
        init(_ file: consuming FileDescriptor) { self.file = file }
    }

    @Test(.enabled(if: isThere, "io_uring"))
    func `More reads than the kernel gets at a time all end, each with its own error`() throws {
        let file = try makeFile()
        defer { file.remove() }
        let (errors, wrong, isBroken) = try Self.readAll(file) {}
        #expect(errors.count == Self.pageCount + 1)
        #expect(errors[UInt64(Self.pageCount)] == .some(.inputOutput))
        #expect(errors.count { $0.value != nil } == 1)
        #expect(wrong == 0)
        #expect(!isBroken)
    }

    /// What the kernel refuses to take is read in the ordinary way, and so is everything after it.
    @Test(.enabled(if: isThere, "io_uring"))
    func `A ring that breaks is replaced by plain reads`() throws {
        let file = try makeFile()
        defer { file.remove() }
        let result = Locked<(errors: [UInt64: Errno?], wrong: Int, isBroken: Bool)?>(nil)
        let thread = try Thread(name: "broken") {
            let found = try? Self.readAll(file) {
                _ = footing_testing_forbid_rings(0, 1)
            }
            result.withLock { $0 = found }
        }
        thread.join()
        let (errors, wrong, isBroken) = try #require(result.withLock { $0 })
        #expect(isBroken)
        #expect(errors.count == Self.pageCount + 1)
        #expect(errors.count { $0.value != nil } == 1)
        #expect(wrong == 0)
    }

    @Test(.enabled(if: isThere, "io_uring"))
    func `A ring that is refused later is told of, once`() throws {
        let file = try makeFile()
        defer { file.remove() }
        let lines = Locked<[String]>([])
        let store = try FileStore(path: file.path, access: .exclusive, mode: .auto) { line in
            lines.withLock { $0.append(line) }
        }
        try #require(store.inputOutput.mode == .ring)
        #expect(store.makeReadQueue() != nil && lines.withLock { $0.isEmpty })
        let madeCount = Locked(-1)
        let thread = try Thread(name: "forbidden") {
            guard footing_testing_forbid_rings(1, 0) == 0 else { return }
            let made = (0..<3).count { _ in store.makeReadQueue() != nil }
            madeCount.withLock { $0 = made }
        }
        thread.join()
        #expect(madeCount.withLock { $0 } == 0)
        let said = lines.withLock { $0 }
        #expect(said.count == 1 && said.first?.contains("forbidden") == true, "\(said)")
    }

    @Test func `A store without rings says why, or refuses where nothing else will do`() throws {
        let file = try makeFile()
        defer { file.remove() }
        typealias Outcome = (auto: InputOutput?, ring: DiskError.Kind?)
        let result = Locked<Outcome?>(nil)
        let thread = try Thread(name: "forbidden") {
            guard footing_testing_forbid_rings(1, 0) == 0 else { return }
            var outcome: Outcome = (nil, nil)
            outcome.auto =
                (try? FileStore(path: file.path, access: .exclusive, mode: .auto))?.inputOutput
            do throws(DiskError) {
                _ = try FileStore(path: file.path, access: .exclusive, mode: .ring)
            } catch {
                outcome.ring = error.kind
            }
            result.withLock { $0 = outcome }
        }
        thread.join()
        let (auto, ring) = try #require(result.withLock { $0 })
        #expect(auto?.mode == .threads)
        #expect(auto?.reason?.contains("forbidden") == true)
        #expect(ring != nil)
        let plain = try FileStore(path: file.path, access: .exclusive, mode: .threads)
        #expect(plain.inputOutput == .plain)
        #expect(plain.makeReadQueue() == nil)
    }
}
