internal import FootingSystem

/// The NUMA nodes of a host.
enum NodeList {
    /// The numbers in `/sys/devices/system/node/online`, such as `0-1,4`; nil if it tells none.
    static func online(_ root: HostRoot) -> [Int]? {
        (try? root.text("sys/devices/system/node/online")).flatMap(parse)
    }

    static func parse(_ text: String) -> [Int]? {
        var nodes: [Int] = []
        for part in text.split(whereSeparator: { $0 == "," || $0 == "\n" }) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            // A node's number is below 1024 (MAX_NUMNODES).
            guard (1...2).contains(ends.count), let first = ends[0],
                let last = ends[ends.count - 1],
                (0...1023).contains(first), (first...1023).contains(last)
            else { return nil }
            nodes += first...last
        }
        return nodes.isEmpty ? nil : nodes
    }
}
