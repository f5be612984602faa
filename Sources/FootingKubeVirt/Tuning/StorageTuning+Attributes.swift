extension StorageTuning {
    /// Sets `discard`, `cache` and `io` of disks.
    mutating func tuneAttributes(_ disks: [Disk]) {
        for disk in disks {
            if let discard = request.discard {
                set("discard", of: disk, to: discard, why: "footing/discard")
            }
            tuneCache(of: disk)
        }
    }

    /// Whether a cache is none: what `io=native` needs, or libvirt refuses the domain.
    private static func isDirect(_ cache: String?) -> Bool {
        cache == "none" || cache == "directsync"
    }

    /// Sets `cache` and `io` so that the two of them suit each other.
    private mutating func tuneCache(of disk: Disk) {
        let driver = document.elements[disk.driver]
        var cache = driver["cache"]
        var io = driver["io"]
        if let wanted = newCache(of: disk) { cache = wanted }
        var why = "footing/io"
        if let wanted = request.io {
            if wanted == "native", !Self.isDirect(cache) {
                findings.append(
                    Finding(
                        .annotation,
                        "footing/io: native needs direct I/O; the cache of the disk "
                            + "\(disk.name) is \(cache ?? "not set")",
                        remedy: "add footing/cache: none, if the storage takes that"
                    )
                )
            } else {
                io = wanted
            }
        }
        if io == "native", !Self.isDirect(cache), cache != driver["cache"] {
            io = "threads"
            why = "footing/cache: io native needs direct I/O"
        }
        // Both or none: one of them alone may be what libvirt refuses.
        let isChangeable =
            (cache == driver["cache"] || editor.canSet("cache", of: disk.driver))
            && (io == driver["io"] || editor.canSet("io", of: disk.driver))
        guard isChangeable else {
            findings.append(
                Finding(
                    .annotation,
                    "cache and io of the disk \(disk.name) are written in a form that is not "
                        + "changed"
                )
            )
            return
        }
        if let cache { set("cache", of: disk, to: cache, why: "footing/cache") }
        if let io { set("io", of: disk, to: io, why: why) }
    }

    /// The cache that is asked for; nil if none is, or this disk cannot have it.
    private mutating func newCache(of disk: Disk) -> String? {
        guard let wanted = request.cache else { return nil }
        let cache = document.elements[disk.driver]["cache"]
        if cache == wanted { return nil }
        // KubeVirt tries O_DIRECT, and writes this where the storage refuses it.
        if Self.isDirect(wanted), cache == "writethrough",
            machine.diskCaches[disk.name] != "writethrough"
        {
            findings.append(
                Finding(
                    .annotation,
                    "footing/cache: the storage of the disk \(disk.name) does not take "
                        + "direct I/O: KubeVirt tried; it stays \(cache ?? "")"
                )
            )
            return nil
        }
        if !Self.isDirect(wanted), !document.children(of: disk.element, "shareable").isEmpty {
            findings.append(
                Finding(
                    .annotation,
                    "footing/cache: the disk \(disk.name) is shareable: what one host caches "
                        + "another does not see; it stays \(cache ?? "not set")",
                    remedy: "use none or directsync"
                )
            )
            return nil
        }
        return wanted
    }
}
