/// What snapshots need of each segment.
///
/// Without a list of who needs what: of a segment that only one of them needs, the identifiers of
/// all that do, exclusive-ored, are that one's.
struct SegmentPins: Sendable, Equatable {
    /// By segment: units, added up; empty if there are no snapshots.
    private var units: [UInt32] = []
    /// By segment: how many need something of it, in the upper 16 bits; their identifiers,
    /// exclusive-ored, in the others.
    private var owners: [UInt64] = []

    private static let ownerShift: UInt64 = 48

    var isEmpty: Bool { units.isEmpty }

    /// Units that are needed of a segment.
    subscript(segment: Int) -> UInt32 { segment < units.count ? units[segment] : 0 }

    /// Segments of which anything is needed.
    var pinnedCount: Int { units.count { $0 > 0 } }

    /// The only snapshot that needs anything of a segment, if there is one and nothing else does.
    func soleOwner(_ segment: Int) -> UInt64? {
        guard segment < owners.count, owners[segment] >> Self.ownerShift == 1 else { return nil }
        let identifier = owners[segment] & (1 << Self.ownerShift - 1)
        // The table belongs to all of them.
        return identifier == 0 ? nil : identifier
    }

    /// Takes in what a snapshot needs.
    mutating func add(_ needs: SnapshotNeeds, _ geometry: Geometry) {
        grow(geometry)
        change(needs, geometry) {
            $0 += $1
        } _: {
            $0 += 1 << Self.ownerShift
        }
    }

    /// A snapshot needs nothing any more.
    mutating func remove(_ needs: SnapshotNeeds, _ geometry: Geometry) {
        change(needs, geometry) {
            $0 -= $1
        } _: {
            $0 -= 1 << Self.ownerShift
        }
    }

    /// Takes in the table of all snapshots.
    mutating func add(table pages: [Location], _ geometry: Geometry) {
        add(SnapshotNeeds(identifier: 0, counts: [], pages: pages), geometry)
    }

    /// The table is another one.
    mutating func remove(table pages: [Location], _ geometry: Geometry) {
        remove(SnapshotNeeds(identifier: 0, counts: [], pages: pages), geometry)
    }

    private mutating func grow(_ geometry: Geometry) {
        let missing = Int(geometry.segmentCount) - units.count
        guard missing > 0 else { return }
        units += [UInt32](repeating: 0, count: missing)
        owners += [UInt64](repeating: 0, count: missing)
    }

    private mutating func change(
        _ needs: SnapshotNeeds,
        _ geometry: Geometry,
        _ count: (inout UInt32, UInt32) -> Void,
        _ countOwner: (inout UInt64) -> Void
    ) {
        var extra: [Int: UInt32] = [:]
        for page in needs.pages {
            extra[Int(geometry.segment(of: page)), default: 0] += UInt32(Geometry.unitsPerBlock)
        }
        func change(_ segment: Int, _ number: UInt32) {
            count(&units[segment], number)
            countOwner(&owners[segment])
            owners[segment] ^= needs.identifier
        }
        for (segment, number) in needs.counts.enumerated() {
            let all = number + (extra.removeValue(forKey: segment) ?? 0)
            if all > 0 { change(segment, all) }
        }
        for (segment, number) in extra { change(segment, number) }
    }
}
