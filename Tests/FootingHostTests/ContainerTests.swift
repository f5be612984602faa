import FootingHost
import FootingSystem
import Testing

/// Each sign of a container on its own.
@Suite struct ContainerTests {
    private func detect(_ lines: [String]) throws -> HypervisorInfo {
        try MachineFixture("container", lines).withRoot { HypervisorDetector.detect(root: $0) }
    }

    @Test(arguments: [
        ("folder proc/vz", "openvz"),
        ("file proc/sys/kernel/osrelease 4.4.0-19041-Microsoft", "wsl"),
        ("file proc/sys/kernel/osrelease 5.15.90.1-microsoft-standard-WSL2", "wsl"),
        ("file proc/sys/kernel/osrelease 4.19.84-microsoft-standard", "wsl"),
        ("file proc/sys/kernel/osrelease 5.15.0-1019-azure", "none"),
        ("file proc/version Linux version 4.4.0-43-Microsoft (Microsoft@Microsoft.com)", "wsl"),
        ("file proc/version Linux version 6.1.0 (build@microsoft.com) WSL", "none"),
        ("file proc/version Linux version 4.10.0 BrandZ virtual linux", "illumos-lx"),
        ("file run/host/container-manager lxc", "lxc"),
        ("file run/systemd/container systemd-nspawn", "systemd-nspawn"),
        ("file run/container_type lxc", "lxc"),
        ("file proc/1/environ container=lxc\\0", "lxc"),
        ("file proc/1/environ A=b\\0container=lxc-libvirt\\0", "lxc"),
        ("file proc/1/environ container=docker\\0", "docker"),
        ("file proc/1/environ container=podman\\0", "podman"),
        ("file proc/1/environ container=rkt\\0", "rkt"),
        ("file proc/1/environ container=pouch\\0", "pouch"),
        ("file proc/1/environ container=zone\\0", "illumos-lx"),
        ("file proc/1/environ container=apptainer\\0", "apptainer"),
        ("file proc/1/environ container=oci\\0", "other"),
        ("file proc/1/environ container=acme\\0", "other"),
        ("file proc/1/environ container=\\0", "none"),
        ("folder .singularity.d", "apptainer"),
        ("file run/.containerenv", "podman"), ("file .dockerenv", "docker"),
        ("file .dockerinit", "docker"), ("file dev/lxd/sock", "lxc"),
        ("file dev/incus/sock", "lxc"), ("file .flatpak-info", "other"),
        ("file proc/self/cgroup 2:cpu:/docker/1b2c", "docker"),
        ("file proc/1/cgroup 0::/system.slice/docker-1b2c.scope", "docker"),
        ("file proc/1/cgroup 0::/machine.slice/libpod-1b2c.scope", "podman"),
        ("file proc/1/cgroup 3:cpuset:/lxc/web", "lxc"),
        ("file proc/1/cgroup 0::/lxc.payload.web", "lxc"),
        ("file proc/1/cgroup 0::/machine.slice/machine-lxc\\x2dweb.scope", "lxc"),
        ("file proc/1/cgroup 1:name=systemd:/machine.slice/machine-rkt-1.scope", "rkt"),
        ("file proc/1/cgroup 0::/machine.slice/systemd-nspawn@web.service", "systemd-nspawn"),
        ("file proc/1/cgroup 4:cpu:/kubepods/burstable/pod1/1b2c", "other"),
        ("file proc/1/cgroup 4:cpu:/kubepods.slice/x/docker-1b2c.scope", "docker"),
        ("file proc/1/cgroup 4:cpu:/ecs/task/1b2c", "docker"),
        ("file proc/1/cgroup 0::/init.scope", "none"),
        ("file proc/self/status VxID: 49152", "linux-vserver"),
        ("file proc/self/status s_context: 102", "linux-vserver"),
        ("file proc/self/status VxID: 0", "none"),
        ("file proc/1/comm bwrap", "other"), ("file proc/1/comm init.lxc", "lxc"),
        ("file proc/1/comm docker-init", "docker"), ("file proc/1/comm systemd", "none"),
        ("link proc/self/ns/pid -> pid:[4026531836]", "none"),
        ("link proc/self/ns/pid -> pid:[4026532281]", "other"),
        ("link proc/self/ns/cgroup -> cgroup:[4026531835]", "none"),
        ("link proc/self/ns/cgroup -> cgroup:[4026532288]", "other"),
    ])
    func `a sign`(_ line: String, _ name: String) throws {
        let info = try detect([line])
        #expect(info.container == name)
        #expect(info.layers.contains { $0.kind == .container } == (name != "none"))
        #expect(info.conflicts.isEmpty)
    }

    @Test func `the host of OpenVZ's and VServer's guests is no container`() throws {
        #expect(try detect(["folder proc/vz", "folder proc/bc"]).container == "none")
    }

    @Test func `any runtime is named by the file it leaves`() throws {
        let info = try detect(["file proc/1/environ container=oci\\0", "file run/.containerenv"])
        #expect(info.container == "podman")
    }

    @Test func `a virtual machine of LXD has its socket, and is no container`() throws {
        let port = "file dev/virtio-ports/com.canonical.lxd"
        #expect(try detect(["file dev/lxd/sock", port]).container == "none")
    }

    @Test(arguments: [
        ("| 1 2 0:3 /a /etc/hosts rw - ext4 /x/docker/containers/1b/hosts rw", "docker"),
        ("| 1 2 0:3 /x/containers/storage/overlay-containers/1b /run rw - tmpfs t rw", "podman"),
        ("| 1 2 0:3 / /proc/cpuinfo rw - fuse.lxcfs lxcfs rw", "lxc"),
        ("| 1 2 0:3 / / rw - ext4 /dev/sda1 rw", "other"),
    ])
    func `mounts name who made a namespace`(_ line: String, _ name: String) throws {
        let info = try detect([
            "link proc/self/ns/pid -> pid:[4026532281]", "text proc/self/mountinfo", line,
        ])
        #expect(info.container == name)
    }

    @Test func `two managers are one answer and a conflict`() throws {
        let info = try detect([
            "file proc/sys/kernel/osrelease 5.15.90.1-microsoft-standard-WSL2", "file .dockerenv",
        ])
        #expect(info.container == "wsl")
        #expect(info.conflicts.map(\.about) == ["container"])
        #expect(info.conflicts.first?.rejected.source == ".dockerenv")
    }
}
