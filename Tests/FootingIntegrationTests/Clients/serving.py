"""What the clients share: a server of the released program, started and killed at will."""

import os
import subprocess
import time


class Server:
    def __init__(self, program, disk, socket, *options):
        self.disk = disk
        self.words = [program, "serve", disk, "--socket", socket, *options]
        self.uri = "nbd+unix:///?socket=" + socket
        self.process = None

    def start(self, waits=True):
        """Starts it; gives the line on its recovery once it listens."""
        self.process = subprocess.Popen(
            self.words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        recovery = ""
        while waits:
            line = self.process.stdout.readline()
            if line.startswith("ready"):
                break
            if line.startswith("recovery"):
                recovery = line.split(maxsplit=1)[1].strip()
            assert line, f"the server ended with {self.process.wait()}"
        return recovery

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def terminate(self):
        """Ends it in an orderly way and gives its status."""
        self.process.terminate()
        status = self.process.wait(timeout=40)
        self.process.stdout.close()
        self.process = None
        return status


class PluginServer(Server):
    """nbdkit with the plugin: PROGRAM is 'nbdkit PLUGIN'."""

    def __init__(self, program, disk, socket):
        super().__init__(program, disk, socket)
        self.pid = socket + ".pid"
        self.socket = socket
        self.words = program.split(" ", 1)[:1] + [
            "--foreground", "--unix", socket, "--pidfile", self.pid,
            program.split(" ", 1)[1], disk,
        ]

    def start(self, waits=True):
        for path in (self.pid, self.socket):
            if os.path.exists(path):
                os.remove(path)
        self.process = subprocess.Popen(
            self.words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        # nbdkit writes its number down once it listens.
        while waits and not (os.path.exists(self.pid) and os.path.getsize(self.pid)):
            assert self.process.poll() is None, f"nbdkit ended with {self.process.wait()}"
            time.sleep(0.002)
        return ""


def server(program, disk, socket, *options):
    """The program's own server, with more options of 'serve', or nbdkit's."""
    if program.startswith("nbdkit "):
        return PluginServer(program, disk, socket)
    return Server(program, disk, socket, *options)
