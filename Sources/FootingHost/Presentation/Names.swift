/// Names as their makers write them, for sentences; the report itself has the stable ones.
enum Names {
    private static let table: [String: String] = [
        "kvm": "KVM", "qemu": "QEMU", "vmware": "VMware", "hyperv": "Hyper-V", "xen": "Xen",
        "virtualbox": "VirtualBox", "parallels": "Parallels", "acrn": "ACRN", "qnx": "QNX",
        "apple": "Apple", "vmm": "OpenBSD vmm", "jailhouse": "Jailhouse", "haxm": "HAXM",
        "nvmm": "NVMM", "unisys": "Unisys s-Par", "uml": "User Mode Linux", "zvm": "z/VM",
        "prsm": "PR/SM", "powervm": "PowerVM", "powervm-lx86": "PowerVM Lx86",
        "ldoms": "LDoms", "virtage": "Virtage", "virtualpc": "Virtual PC", "bochs": "Bochs",
        "nitro": "Nitro", "openstack": "OpenStack", "kubevirt": "KubeVirt", "ovirt": "oVirt",
        "rhev": "RHEV", "nutanix-ahv": "Nutanix AHV", "firecracker": "Firecracker",
        "cloud-hypervisor": "Cloud Hypervisor", "google-compute-engine": "Google Compute Engine",
        "docker": "Docker", "podman": "Podman", "lxc": "LXC", "openvz": "OpenVZ", "wsl": "WSL",
        "linux-vserver": "VServer", "apptainer": "Apptainer", "proot": "PRoot",
        "aws": "AWS", "azure": "Azure", "gcp": "Google Cloud", "oracle": "Oracle Cloud",
        "alibaba": "Alibaba Cloud", "digitalocean": "DigitalOcean", "hetzner": "Hetzner",
        "mshv": "Microsoft's hypervisor", "nitro-enclaves": "Nitro Enclaves",
    ]

    /// The name for people.
    static func name(_ name: String) -> String { table[name] ?? name }

    /// The name with its article: names that are spelled out begin with the sound of a vowel.
    static func article(_ name: String) -> String {
        let text = Names.name(name)
        let begins = ["LXC", "LDoms", "HAXM", "NVMM", "RHEV"].contains { text.hasPrefix($0) }
        let isVowel = text.utf8.first.map { "AEIOaeio".utf8.contains($0) } ?? false
        return (begins || isVowel ? "an " : "a ") + text
    }
}

/// A paragraph in lines of at most so many columns, broken between words.
func wrapped(_ text: String, columns: Int = 79) -> [String] {
    var result: [String] = []
    var line = ""
    for word in pieces(text, separator: " ") {
        if !line.isEmpty, line.count + 1 + word.count > columns {
            result.append(line)
            line = ""
        }
        line += (line.isEmpty ? "" : " ") + word
    }
    return line.isEmpty ? result : result + [line]
}

/// A text that takes at most so many columns.
func cut(_ text: String, columns: Int) -> String {
    text.count > columns ? String(text.prefix(max(1, columns - 1))) + "…" : text
}
