"""Servers of images that bench.py measures, and fio, the client of all of them."""

import json
import os
import pathlib
import signal
import subprocess
import time

IMAGE_BYTES = 1 << 30
MIB = 1 << 20
FOOTING = os.path.abspath("bin/footing")
RANDOM = ["--bs=4k", "--iodepth=16"]
LARGE = ["--bs=1M", "--iodepth=4"]


def run(*words, **options):
    """Runs a command, which must succeed, and gives what it printed."""
    result = subprocess.run(words, capture_output=True, text=True, **options)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(words)}: {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


class Server:
    """One way to serve an image: how to make one, and the words that start the server."""

    def __init__(self, name, folder, create, start):
        self.name = name
        self.image = os.path.join(folder, name + ".image")
        self.socket = os.path.join(folder, name + ".sock")
        self.create_words = create
        self.start_words = start
        self.process = None

    def words(self, template):
        values = {"image": self.image, "socket": self.socket, "bytes": str(IMAGE_BYTES)}
        return [word.format(**values) for word in template]

    @property
    def uri(self):
        return "nbd+unix:///?socket=" + self.socket

    def create(self):
        run(*self.words(self.create_words))

    def start(self, group=None, more=()):
        """Starts it and waits until it listens; in a control group if one is given."""
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        began = time.monotonic()
        self.process = subprocess.Popen(
            self.words(self.start_words) + list(more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=group.enter if group else None,
        )
        while not os.path.exists(self.socket):
            if self.process.poll() is not None or time.monotonic() > began + 30:
                raise SystemExit(f"{self.name} did not start: {self.process.args}")
            time.sleep(0.002)
        return time.monotonic() - began

    def said(self):
        """The JSON that the program prints when it is ready."""
        text = ""
        while not text.endswith("\n}\n"):
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit(f"{self.name} said: {text}")
            text += line
        return json.loads(text)

    def stop(self, number=signal.SIGTERM):
        if self.process:
            self.process.send_signal(number)
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def settle(self):
        """Flushes the image's file, so that a sample measures its own writes only."""
        descriptor = os.open(self.image, os.O_RDWR)
        os.fsync(descriptor)
        os.close(descriptor)

    def processor_seconds(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        # The process's name is in parentheses and may contain anything.
        fields = text.rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """VmHWM and VmRSS in MiB."""
        lines = pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        found = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
        return int(found["VmHWM"]) / 1024, int(found["VmRSS"]) / 1024


def all_servers(folder):
    """The program first; every other is a peer."""
    raw = ["truncate", "--size={bytes}", "{image}"]
    qcow2 = ["qemu-img", "create", "-q", "-f", "qcow2", "{image}", "{bytes}"]
    qemu = ["qemu-nbd", "--persistent", "--shared=16", "--socket={socket}"]
    direct = ["--cache=none", "--aio=io_uring", "{image}"]
    back = ["--cache=writeback", "{image}"]
    daemon = [
        "qemu-storage-daemon",
        "--blockdev",
        "driver=file,node-name=file,filename={image},cache.direct=on,aio=io_uring",
        "--blockdev",
        "driver=raw,node-name=disk,file=file",
        "--nbd-server",
        "addr.type=unix,addr.path={socket}",
        "--export",
        "type=nbd,id=export,node-name=disk,name=,writable=on",
    ]
    return [
        Server(
            "footing",
            folder,
            [FOOTING, "disk", "create", "{image}", "--size", "{bytes}"],
            [FOOTING, "serve", "{image}", "--socket", "{socket}"],
        ),
        Server("nbdkit-file", folder, raw, ["nbdkit", "-f", "-U", "{socket}", "file", "{image}"]),
        Server("qemu-raw-direct", folder, raw, qemu + ["-f", "raw"] + direct),
        Server("qemu-daemon-direct", folder, raw, daemon),
        Server("qemu-raw-back", folder, raw, qemu + ["-f", "raw"] + back),
        Server("qemu-qcow2-direct", folder, qcow2, qemu + ["-f", "qcow2"] + direct),
        Server("qemu-qcow2-back", folder, qcow2, qemu + ["-f", "qcow2"] + back),
    ]


def fio(server, options, seconds=None):
    """Runs fio over the whole image and gives its job's figures."""
    words = ["fio", "--name=bench", "--ioengine=nbd", f"--uri={server.uri}"]
    words += [f"--size={IMAGE_BYTES}", "--output-format=json", "--randrepeat=0", "--norandommap"]
    words += options
    if seconds:
        words += ["--time_based", f"--runtime={seconds}"]
    text = run(*words)
    return json.loads(text[text.index("{") :])["jobs"][0]
