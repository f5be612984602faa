import FootingSystem
import Synchronization

/// Which life each segment of an encrypted disk is in, for threads that ask once for every block.
///
/// It lies in pieces that never move: who asks needs no lock, also while the container grows.
@safe
final class SegmentSequences: @unchecked Sendable {
    // Sendable by construction: all that changes is atomic, and only one thread makes pieces.

    private typealias Piece = UnsafeMutablePointer<Atomic<UInt64>>

    private static let pieceSize = 4096
    private static let pieceCount = Int(Geometry.segmentCountMax) / pieceSize

    /// The pieces' addresses; 0 for those that are not needed yet.
    private let pieces: UnsafeMutablePointer<Atomic<UInt>>
    private let making = Locked(())

    init() {
        unsafe pieces = .allocate(capacity: Self.pieceCount)
        for index in 0..<Self.pieceCount {
            unsafe (pieces + index).initialize(to: Atomic(0))
        }
    }

    deinit {
        for index in 0..<Self.pieceCount {
            let address = unsafe pieces[index].load(ordering: .acquiring)
            guard let piece = unsafe Piece(bitPattern: address) else { continue }
            unsafe piece.deinitialize(count: Self.pieceSize)
            unsafe piece.deallocate()
        }
        unsafe pieces.deinitialize(count: Self.pieceCount)
        unsafe pieces.deallocate()
    }

    /// The number of a segment that was noted once; 0 for others.
    subscript(segment: Int) -> UInt64 {
        get {
            let address = unsafe pieces[segment / Self.pieceSize].load(ordering: .acquiring)
            guard let piece = unsafe Piece(bitPattern: address) else { return 0 }
            return unsafe piece[segment % Self.pieceSize].load(ordering: .acquiring)
        }
        set {
            let piece = unsafe piece(segment / Self.pieceSize)
            unsafe piece[segment % Self.pieceSize].store(newValue, ordering: .releasing)
        }
    }

    private func piece(_ index: Int) -> Piece {
        let address = unsafe pieces[index].load(ordering: .acquiring)
        if let piece = unsafe Piece(bitPattern: address) { return unsafe piece }
        making.withLock { _ in
            if unsafe pieces[index].load(ordering: .acquiring) != 0 { return }
            let piece = Piece.allocate(capacity: Self.pieceSize)
            for number in 0..<Self.pieceSize {
                unsafe (piece + number).initialize(to: Atomic(0))
            }
            unsafe pieces[index].store(UInt(bitPattern: piece), ordering: .releasing)
        }
        return unsafe piece(index)
    }
}
