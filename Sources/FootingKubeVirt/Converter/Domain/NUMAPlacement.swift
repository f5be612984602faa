/// The host's NUMA nodes that a guest's processors lie on, shown to the guest as its own.
struct NUMAPlacement {
    private struct Cell {
        var host: HostCell
        var guest: Int
        var processors: [Int]
        var memoryBytes: UInt64
    }

    private var cells: [Cell] = []
    private let pageBytes: UInt64

    private static let field = "spec.domain.cpu.numa.guestMappingPassthrough"

    /// Divides the guest's memory, in huge pages, among the nodes: as upstream's `numaMapping`.
    init(
        _ placement: ProcessorPlacement,
        hostCells: [HostCell],
        memoryBytes: UInt64,
        pageBytes: UInt64?
    ) throws(ConversionError) {
        guard let pageBytes, pageBytes > 0 else {
            throw .impossible("\(Self.field): needs spec.domain.memory.hugepages")
        }
        self.pageBytes = pageBytes
        var cellOf: [Int: Int] = [:]
        for cell in hostCells {
            for processor in cell.processors {
                for thread in processor.siblings + [processor.id] { cellOf[thread] = cell.id }
            }
        }
        var processors: [Int: [Int]] = [:]
        for (guest, host) in placement.processors.enumerated() {
            guard let cell = cellOf[host] else {
                throw .impossible("processor \(host) of the context is on none of its cells")
            }
            processors[cell, default: []].append(guest)
        }
        for host in hostCells {
            guard let processors = processors[host.id] else { continue }
            cells.append(
                Cell(host: host, guest: cells.count, processors: processors, memoryBytes: 0)
            )
        }
        let pages = memoryBytes / pageBytes
        guard memoryBytes.isMultiple(of: pageBytes) else {
            throw .impossible("\(Self.field): the memory is no multiple of the huge page")
        }
        let count = UInt64(cells.count)
        guard count > 0, pages >= count else {
            throw .impossible("\(Self.field): the memory has no huge page for each NUMA node")
        }
        for index in cells.indices {
            let extra: UInt64 = UInt64(index) < pages % count ? 1 : 0
            cells[index].memoryBytes = (pages / count + extra) * pageBytes
        }
    }

    /// `<cpu><numa>`.
    var guestElement: XMLElement {
        XMLElement("numa", [:], cells.map(element))
    }

    private func element(_ cell: Cell) -> XMLElement {
        let siblings = cell.host.distances.compactMap { distance in
            cells.first { $0.host.id == distance.id }.map { other in
                XMLElement(
                    "sibling",
                    ["id": "\(other.guest)", "value": "\(distance.value)"]
                )
            }
        }
        return XMLElement(
            "cell",
            [
                "id": "\(cell.guest)", "cpus": ProcessorPlacement.list(cell.processors),
                "memory": "\(cell.memoryBytes)", "unit": "b",
            ],
            [siblings.isEmpty ? nil : XMLElement("distances", [:], siblings)]
        )
    }

    /// `<numatune>`.
    var tuneElement: XMLElement {
        let nodes = ProcessorPlacement.list(cells.map(\.host.id))
        return XMLElement(
            "numatune",
            [:],
            [XMLElement("memory", ["mode": "strict", "nodeset": nodes])]
                + cells.map { cell in
                    XMLElement(
                        "memnode",
                        [
                            "cellid": "\(cell.guest)", "mode": "strict",
                            "nodeset": "\(cell.host.id)",
                        ]
                    )
                }
        )
    }

    /// The pages of `<memoryBacking><hugepages>`.
    var pageElements: [XMLElement] {
        cells.map { cell in
            XMLElement(
                "page",
                ["size": "\(pageBytes)", "unit": "b", "nodeset": "\(cell.guest)"]
            )
        }
    }
}
