import FootingSystem

/// The pages of the map that are in memory; bounded, clean, and replaced by CLOCK.
///
/// Pages are found by their location. A page never changes where it is, and a location is not
/// written again while a reader may still come from an older root, so nothing here can be outdated;
/// the expected checksum is compared all the same.
final class PageCache: Sendable {
    private struct State: ~Copyable {
        let memory: AlignedBuffer
        var frameOf: [UInt64: Int32] = [:]
        var locations: [UInt64]
        var checksums: [UInt32]
        var used: [Bool]
        var hand = 0
        var frameCount = 0

        init(frameCountMax: Int) {
            memory = AlignedBuffer(count: frameCountMax * 4096)
            locations = Array(repeating: 0, count: frameCountMax)
            checksums = Array(repeating: 0, count: frameCountMax)
            used = Array(repeating: false, count: frameCountMax)
        }
    }

    private let state: Locked<State>
    private let frameCountMax: Int

    /// - Parameter frameCountMax: the budget in 4 KiB pages.
    init(frameCountMax: Int) {
        precondition(frameCountMax >= 8, "a path through the map must fit")
        self.frameCountMax = frameCountMax
        state = Locked(State(frameCountMax: frameCountMax))
    }

    /// An entry of a cached page; nil if the page is not here.
    func entry(of page: MapEntry, slot: Int) -> MapEntry? {
        state.withLock { state in
            guard let frame = Self.find(page, &state) else { return nil }
            let offset = frame * 4096 + MapPage.headerSizeBytes + slot * MapEntry.sizeBytes
            return MapEntry(
                word: state.memory.get(UInt64.self, at: offset),
                checksum: state.memory.get(UInt32.self, at: offset + 8)
            )
        }
    }

    /// Copies a cached page out; false if it is not here.
    func copy(_ page: MapEntry, to buffer: borrowing AlignedBuffer) -> Bool {
        state.withLock { state in
            guard let frame = Self.find(page, &state) else { return false }
            let bytes = unsafe state.memory.slice(frame * 4096..<frame * 4096 + 4096)
            unsafe buffer.copy(from: UnsafeRawBufferPointer(bytes), at: 0)
            return true
        }
    }

    private static func find(_ page: MapEntry, _ state: inout State) -> Int? {
        guard let frame = state.frameOf[page.location.units].map({ Int($0) }),
            state.checksums[frame] == page.checksum
        else { return nil }
        state.used[frame] = true
        return frame
    }

    /// Takes a copy of a page in, in place of one that was not used lately.
    func insert(_ page: MapEntry, _ buffer: borrowing AlignedBuffer) {
        state.withLock { state in
            let units = page.location.units
            let frame = state.frameOf[units].map { Int($0) } ?? freeFrame(&state)
            state.locations[frame] = units
            state.checksums[frame] = page.checksum
            state.frameOf[units] = Int32(frame)
            let bytes = unsafe UnsafeRawBufferPointer(buffer.slice(0..<4096))
            unsafe state.memory.copy(from: bytes, at: frame * 4096)
        }
    }

    private func freeFrame(_ state: inout State) -> Int {
        if state.frameCount < frameCountMax {
            state.frameCount += 1
            return state.frameCount - 1
        }
        while state.used[state.hand] {
            state.used[state.hand] = false
            state.hand = (state.hand + 1) % frameCountMax
        }
        let frame = state.hand
        state.hand = (frame + 1) % frameCountMax
        state.frameOf[state.locations[frame]] = nil
        return frame
    }

    /// Forgets everything, and gives the memory back to the kernel.
    func removeAll() {
        state.withLock { state in
            state.frameOf = [:]
            state.frameCount = 0
            state.hand = 0
            for frame in state.used.indices { state.used[frame] = false }
            state.memory.discard()
        }
    }
}
