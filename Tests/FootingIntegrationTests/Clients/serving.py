"""What the clients share: a server of the released program, started and killed at will."""

import subprocess


class Server:
    def __init__(self, program, disk, socket):
        self.words = [program, "serve", disk, "--socket", socket]
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
