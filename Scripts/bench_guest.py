"""A virtual machine to measure in: Debian's kernel under QEMU, without KVM.

What it boots is made by Scripts/guests.sh; its first process, Tests/FootingGuestTests/Init/init.c,
runs one program at a time. A machine can be saved and started from there many times.
"""

import json
import os
import socket
import stat
import subprocess
import time

KIT = os.path.abspath(".build/guests")
MEBIBYTE = 1 << 20
FAST = (
    "panic=-1 no_timer_check tsc=reliable lpj=4000000 nokaslr mitigations=off "
    "random.trust_cpu=on audit=0 cryptomgr.notests 8250.nr_uarts=2"
)


def modules(wanted):
    """The files of modules, after those that they need."""
    known = {}
    for line in open(f"{KIT}/cloud/modules/depends"):
        path, _, needs = line.rstrip("\n").partition(":depends=")
        name = os.path.basename(path)[: -len(".ko")].replace("-", "_")
        known[name] = (path, [need.replace("-", "_") for need in needs.split(",") if need])
    order = []

    def add(name):
        path, needs = known[name]
        for need in needs:
            add(need)
        if path not in order:
            order.append(path)

    for name in wanted:
        add(name)
    return [f"{KIT}/cloud/modules/{path}" for path in order]


MODULES = ("virtio_pci", "virtio_blk", "virtio_balloon")


def archive(path, wanted=MODULES, programs=("memory", "load")):
    """Writes the files that the guest starts with, as an uncompressed cpio archive."""
    drivers = modules(wanted)
    files = {"init": f"{KIT}/init", "bin/footing": "bin/footing", "bin/busybox": "/bin/busybox"}
    files |= {f"bin/{name}": f"{KIT}/{name}" for name in programs}
    files |= {f"modules/{os.path.basename(driver)}": driver for driver in drivers}
    order = "".join(f"/modules/{os.path.basename(driver)}\n" for driver in drivers)
    with open(path, "wb") as out:
        count = 0

        def add(name, mode, content):
            nonlocal count
            count += 1
            name = name.encode() + b"\0"
            fields = [count, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0]
            head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
            for part in (head, content):
                out.write(part + b"\0" * (-len(part) % 4))

        for folder in ("bin", "dev", "modules", "proc", "run", "sys", "tmp"):
            add(folder, stat.S_IFDIR | 0o755, b"")
        for name, source in files.items():
            add(name, stat.S_IFREG | 0o755, open(source, "rb").read())
        add("modules/order", stat.S_IFREG | 0o644, order.encode())
        add("TRAILER!!!", 0, b"")


class Channel:
    """One end of a socket that speaks in lines."""

    def __init__(self):
        self.ours, self.theirs = socket.socketpair()
        self.file = self.ours.makefile("rwb", buffering=0)
        self.left = b""

    def fill(self, seconds):
        self.ours.settimeout(seconds)
        part = self.ours.recv(1 << 16)
        if not part:
            raise RuntimeError("QEMU has ended")
        self.left += part

    def line(self, seconds=120):
        while b"\n" not in self.left:
            self.fill(seconds)
        line, _, self.left = self.left.partition(b"\n")
        return line.decode().strip("\r")

    def bytes(self, count, seconds=120):
        while len(self.left) < count:
            self.fill(seconds)
        result, self.left = self.left[:count], self.left[count:]
        return result

    def send(self, text):
        self.ours.sendall(text.encode() + b"\n")


class Guest:
    """A running machine; `with` ends it."""

    def __init__(self, mebibytes, initramfs, disks, saved=None, more=()):
        """disks: name, file, and whether writes to it are forgotten with the machine; more: other
        words for QEMU."""
        self.control, self.channel = Channel(), Channel()
        words = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-m", str(mebibytes)]
        words += ["-cpu", "max,-erms,-avx,-avx2", "-nodefaults", "-no-user-config", "-no-reboot"]
        words += ["-display", "none", "-kernel", f"{KIT}/cloud/vmlinux", "-initrd", initramfs]
        words += ["-append", f"console=ttyS0 quiet loglevel=3 {FAST}"]
        words += ["-device", "virtio-balloon-pci,id=balloon,free-page-reporting=on"]
        for name, path, forgets in disks:
            drive = f"if=none,id={name},format=raw,file={path}"
            words += ["-drive", drive + (",snapshot=on" if forgets else "")]
            words += ["-device", f"virtio-blk-pci,drive={name}"]
        words += [*more, "-serial", "null"]
        for name, channel in (("channel", self.channel), ("qmp", self.control)):
            words += ["-chardev", f"socket,id={name},fd={channel.theirs.fileno()}"]
        words += ["-serial", "chardev:channel", "-mon", "chardev=qmp,mode=control"]
        if saved:
            words += ["-incoming", f"exec:cat '{saved}'"]
        descriptors = [channel.theirs.fileno() for channel in (self.control, self.channel)]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, pass_fds=descriptors)
        self.control.theirs.close()
        self.channel.theirs.close()
        self.control.line()
        self.qmp("qmp_capabilities")
        if saved:
            while self.qmp("query-status")["status"] != "running":
                time.sleep(0.01)
        elif self.channel.line() != "ready":
            raise RuntimeError("the guest's first process did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def qmp(self, command, **arguments):
        self.control.send(json.dumps({"execute": command, "arguments": arguments}))
        while True:
            answer = json.loads(self.control.line())
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def start(self, *words):
        """Runs a program; `end` waits for it. Others can only be run after that."""
        self.channel.send("\t".join(("run",) + words))

    def end(self, seconds=120):
        """The status, as a shell's, and the standard output of what was started."""
        word, status, count = self.channel.line(seconds).split(" ")
        if word != "exited":
            raise RuntimeError(f"an unexpected answer: {word}")
        return int(status), self.channel.bytes(int(count)).decode()

    def shell(self, script, seconds=120):
        self.start("/bin/busybox", "sh", "-ec", script)
        status, output = self.end(seconds)
        if status != 0:
            raise RuntimeError(f"status {status}: {script}\n{output}")
        return output

    def balloon(self, mebibytes):
        self.qmp("balloon", value=mebibytes * MEBIBYTE)

    def actual(self):
        """The guest's memory as the hypervisor sees it, in MiB."""
        return self.qmp("query-balloon")["actual"] // MEBIBYTE

    def resident(self):
        """What QEMU has of this machine's memory, in MiB."""
        pages = int(open(f"/proc/{self.process.pid}/statm").read().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") // MEBIBYTE

    def save(self, path):
        """Stops the machine, and keeps it in a file to start from."""
        self.qmp("migrate", uri=f"exec:cat > '{path}'")
        while (status := self.qmp("query-migrate").get("status")) != "completed":
            if status == "failed":
                raise RuntimeError("the machine cannot be saved")
            time.sleep(0.05)
        return path
