/// The devices of a report in columns, as many as a screen has room for.
struct DeviceTable {
    private static let titles = ["DEVICE", "SIZE", "INTERFACE", "QUEUES", "CACHE", "NODE", "WHAT"]
    /// The columns that hold numbers, which are read from their ends.
    private static let numbers: Set<Int> = [1, 3, 5]

    private let rows: [[String]]

    init(_ report: HostReport) {
        let disks = report.hardware.block
        // What nobody can take away comes first: hardware, then what the kernel makes up.
        let ordered = disks.filter { !$0.driverChain.isEmpty } + disks.filter(\.driverChain.isEmpty)
        var rows = ordered.map(Self.row)
        let others = report.hardware.paravirtual.filter { !["block", "scsi"].contains($0.kind) }
        for device in others {
            let driver = device.driver.value ?? "no driver"
            rows.append([device.name, "", "\(device.bus) \(device.kind)", "", "", "", driver])
        }
        self.rows = rows
    }

    private static func row(_ device: BlockDevice) -> [String] {
        let what = device.product.value ?? device.model.value ?? device.media.value ?? ""
        return [
            device.name,
            HostReport.size(device.sizeBytes),
            device.interface,
            device.queues.value.map { String($0) } ?? "",
            device.writeCache.value ?? "",
            device.numaNode.value.flatMap { $0 < 0 ? nil : String($0) } ?? "",
            device.isFree.value == true ? "\(what) (free)".trimmed : what,
        ]
    }

    /// At most so many lines, the titles among them; the last one counts what found no room.
    func lines(maximum: Int) -> [String] {
        guard !rows.isEmpty, maximum >= 3 else { return rows.isEmpty ? ["No devices."] : [] }
        let room = maximum - 1
        let shown = rows.count > room ? Array(rows.prefix(room - 1)) : rows
        let table = [Self.titles] + shown
        // A column that nothing fills is left out.
        let columns = Self.titles.indices.filter { column in
            shown.contains { !$0[column].isEmpty }
        }
        let widths = Self.titles.indices.map { column in
            min(24, table.map { $0[column].count }.max() ?? 0)
        }
        var lines = table.map { row in
            let cells = columns.map { column in
                let cell = cut(row[column], columns: widths[column])
                let gap = String(repeating: " ", count: widths[column] - cell.count)
                return Self.numbers.contains(column) ? gap + cell : cell + gap
            }
            let line = cells.joined(separator: "  ")
            let end = line.utf8.lastIndex { $0 != 32 }.map { line.utf8.index(after: $0) }
            return cut(String(line[..<(end ?? line.startIndex)]), columns: 79)
        }
        if shown.count < rows.count {
            lines.append("and \(rows.count - shown.count) more: --explain shows all")
        }
        return lines
    }
}
