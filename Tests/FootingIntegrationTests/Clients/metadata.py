"""Metadata servers, and the released program among them, in a network of their own.

Usage: unshare --net --mount --propagation private python3 metadata.py PROGRAM PART
where PART is providers, hostile, probe or silence. Nothing of this can reach another machine: the
namespace has only its own loopback and a pair of devices that lead nowhere, and the firmware's
texts are files on a tmpfs that only this mount namespace sees.
"""

import json
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time

from metadata_providers import COMMON, PROVIDERS, SECRET

PROGRAM = sys.argv[1]
DMI = "/sys/class/dmi/id"
ALIBABA, SCALEWAY = "100.100.100.200", "169.254.42.42"
# A proxy that the environment names; nobody may ever connect to it.
PROXY = ("127.0.0.1", 3128)


def run(*words):
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


def firmware(texts):
    """Puts texts where the firmware's are; None is a machine without any."""
    if os.path.isdir(DMI):
        for name in os.listdir(DMI):
            os.unlink(f"{DMI}/{name}")
        os.rmdir(DMI)
        os.rmdir(os.path.dirname(DMI))
    if texts is None:
        return
    os.makedirs(DMI)
    for name, value in texts.items():
        with open(f"{DMI}/{name}", "w") as file:
            file.write(value + "\n")


def detect(*options):
    """Runs the program; gives its document, all that it printed, and the seconds it took."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:3128",
        "GCE_METADATA_HOST": "127.0.0.1:3128",
    }
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        environment[name] = "http://%s:%d" % PROXY
    start = time.monotonic()
    done = subprocess.run(
        [PROGRAM, "detect", *options], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        env=environment, timeout=20,
    )
    seconds = time.monotonic() - start
    assert done.returncode == 0, (done.returncode, done.stderr)
    document = json.loads(done.stdout) if "--json" in options else None
    return document, done.stdout + done.stderr, seconds


class Listener:
    """Listens at an address and gives each connection to a function."""

    def __init__(self, address, serve, port=80):
        self.connections = 0
        self.serve = serve
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, port))
        self.socket.listen(16)
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()

    def loop(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            try:
                self.serve(connection)
            except OSError:
                pass
            finally:
                connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(10)
        assert not self.thread.is_alive()


def request(connection):
    """Reads one request: method, path, header fields."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError
        data += piece
    head, body = data.split(b"\r\n\r\n", 1)
    first, *lines = head.decode("ascii").split("\r\n")
    method, path, version = first.split(" ")
    assert version == "HTTP/1.1", first
    fields = {}
    for line in lines:
        name, value = line.split(": ", 1)
        assert name.lower() not in fields, line
        fields[name.lower()] = value
    while len(body) < int(fields.get("content-length", 0)):
        body += connection.recv(65536)
    return method, path, fields


def answer(status, fields=(), body=b"", framing=True):
    head = f"HTTP/1.1 {status} Text\r\n"
    for name, value in dict(fields).items():
        head += f"{name}: {value}\r\n"
    if framing:
        head += f"Content-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


class Server:
    """A provider's server: strict, and knows what it was asked."""

    def __init__(self, name, instead=None):
        self.provider = PROVIDERS[name]
        self.instead = instead or {}
        self.asked = []

    def __call__(self, connection):
        method, path, fields = request(connection)
        self.asked.append((method, path))
        assert fields["host"] == self.provider["address"], fields
        assert "x-forwarded-for" not in fields
        special = self.instead.get(method)
        if special is not None:
            special(connection)
            return
        known = self.provider["answers"].get((method, path))
        if known is None:
            connection.sendall(answer(404, {}, b"not found"))
            return
        wanted, status, headers, body = known
        if any(fields.get(name) != value for name, value in wanted.items()):
            connection.sendall(answer(401, {}, b"unauthorized"))
            return
        connection.sendall(answer(status, headers, body))


def part_providers():
    for name, provider in PROVIDERS.items():
        firmware(provider["dmi"])
        server = Server(name)
        with Listener(provider["address"], server):
            document, printed, seconds = detect("--json")
            asked = list(server.asked)
            _, explained, _ = detect("--explain")
        cloud = document["cloud"]
        metadata = cloud["metadata"]
        assert metadata["outcome"] == "proven", (name, metadata)
        assert metadata["address"] == provider["address"]
        assert metadata["provider"] == cloud["provider"] == name
        found = {key: metadata[key] for key in provider["facts"]}
        assert found == provider["facts"], (name, found)
        absent = {item["fact"]: item["reason"] for item in document["absent"]}
        for key, value in found.items():
            assert (value is None) == (f"cloud.metadata.{key}" in absent), (name, key)
        # Exactly these requests, the token first, and not one more.
        assert asked == provider["asked"], (name, asked)
        assert metadata["evidence"] and cloud["evidence"], name
        assert provider["facts"]["instanceId"] in explained, name
        # The token is nobody's business.
        assert SECRET not in printed + explained, name
        print(f"{name}: proven in {seconds * 1000:.0f} ms")


def drip(data, pause):
    def serve(connection):
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(pause)
    return serve


def forever(start, piece):
    def serve(connection):
        connection.sendall(start)
        end = time.monotonic() + 5
        while time.monotonic() < end:
            connection.sendall(piece)
    return serve


def silent(connection):
    """Listens until the other side goes."""
    connection.settimeout(5)
    while connection.recv(4096):
        pass


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def says(data):
    return lambda connection: connection.sendall(data)


def late(data):
    return lambda connection: (time.sleep(0.3), connection.sendall(data))


PORTAL = b"<!DOCTYPE html><html><body>Please accept the terms.</body></html>"
HTML = {"Content-Type": "text/html"}
OTHER = json.dumps({"instanceId": "i-123", "region": "moon", "accountId": "x"}).encode()
CHUNKED = answer(200, {"Transfer-Encoding": "chunked"}, framing=False)

# Name, what the server does instead by the request's method, outcome, requests that it sees.
HOSTILE = [
    ("silent", {"PUT": silent}, "timed-out", 1),
    ("silent after the token", {"GET": silent}, "timed-out", 2),
    ("slow", {"PUT": drip(answer(200, {}, b"x" * 200), 0.02)}, "timed-out", 1),
    ("slow head", {"GET": drip(b"HTTP/1.1 200 OK\r\nServer: " + b"x" * 500, 0.02)}, "timed-out", 2),
    # One deadline for both, not one for each.
    ("each a little slow", {"PUT": late(answer(200, {}, SECRET.encode())),
                            "GET": late(answer(200, {}, b"{}"))}, "timed-out", 2),
    ("garbage", {"PUT": says(b"\x00\xff\x17\r\n\r\n" * 10)}, "malformed", 1),
    ("another protocol", {"PUT": says(b"SSH-2.0-OpenSSH_9.2\r\n")}, "malformed", 1),
    ("bare line feeds", {"PUT": says(b"HTTP/1.1 200 OK\n\ntoken")}, "malformed", 1),
    ("two lengths", {"GET": says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n"
                                 b"\r\nab")}, "malformed", 2),
    ("endless body", {"GET": forever(answer(200, framing=False), b"x" * 4096)}, "too-large", 2),
    ("endless announced", {"GET": says(answer(200, {"Content-Length": 1 << 30}, framing=False))},
     "malformed", 2),
    ("large announced", {"GET": says(answer(200, {"Content-Length": 65537}, framing=False))},
     "too-large", 2),
    ("endless head", {"PUT": forever(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 100)}, "too-large", 1),
    ("endless line", {"PUT": forever(b"HTTP/1.1 200 OK\r\nA: ", b"x" * 4096)}, "too-large", 1),
    ("endless chunks", {"GET": forever(CHUNKED, b"400\r\n" + b"x" * 1024 + b"\r\n")},
     "too-large", 2),
    ("endless trailers", {"GET": forever(CHUNKED + b"0\r\n", b"A: b\r\n" * 100)}, "too-large", 2),
    ("redirect of the token", {"PUT": says(answer(302, {"Location": "http://127.0.0.1:3128/"}))},
     "redirected", 1),
    ("redirect", {"GET": says(answer(307, {"Location": "http://127.0.0.1:3128/"}))},
     "redirected", 2),
    ("captive portal", {"PUT": says(answer(200, HTML, PORTAL))}, "unproven", 1),
    ("captive portal after the token", {"GET": says(answer(200, HTML, PORTAL))}, "unproven", 2),
    ("wrong proof", {"GET": says(answer(200, {}, OTHER))}, "unproven", 2),
    ("a deep document", {"GET": says(answer(200, {}, b"[" * 60000))}, "unproven", 2),
    ("a name twice", {"GET": says(answer(200, {}, b'{"instanceId":"i-0123456789abcdef0",'
                                         b'"instanceId":"i-0123456789abcdef1"}'))}, "unproven", 2),
    ("a token that ends its line", {"PUT": says(answer(200, {}, b"a\r\nX-Forwarded-For: b"))},
     "unproven", 1),
    ("cut off", {"GET": says(answer(200, {"Content-Length": 500}, b"{", framing=False))},
     "cut-off", 2),
    ("nothing at all", {"PUT": lambda connection: None}, "cut-off", 1),
    ("reset", {"GET": reset}, "failed", 2),
    ("version 1 only", {"PUT": says(answer(405))}, "refused", 1),
    ("no token for us", {"PUT": says(answer(403))}, "refused", 1),
    ("token expired", {"GET": says(answer(401))}, "refused", 2),
    ("turned off", {"GET": says(answer(403))}, "refused", 2),
    ("not found", {"GET": says(answer(404))}, "refused", 2),
    ("broken", {"GET": says(answer(500))}, "refused", 2),
]


def checked(name, outcome, seconds, document, printed):
    cloud = document["cloud"]
    metadata = cloud["metadata"]
    assert metadata["outcome"] == outcome, (name, metadata)
    assert metadata["reason"], name
    # DMI's word stands; nothing else is believed.
    assert cloud["provider"] == "aws", name
    for key in ("instanceId", "region", "zone", "instanceType"):
        assert metadata[key] is None, (name, metadata)
    assert "terms" not in printed and "moon" not in printed and SECRET not in printed, name
    # One deadline for everything; the rest is a loaded machine's starting of a program.
    assert seconds < 0.9, (name, seconds)
    assert outcome != "timed-out" or seconds > 0.49, (name, seconds)
    print(f"{name}: {outcome} in {seconds * 1000:.0f} ms")


def part_hostile():
    firmware(PROVIDERS["aws"]["dmi"])
    for name, instead, outcome, count in HOSTILE:
        server = Server("aws", instead)
        with Listener(COMMON, server):
            document, printed, seconds = detect("--json")
        assert server.asked == PROVIDERS["aws"]["asked"][:count], (name, server.asked)
        checked(name, outcome, seconds, document, printed)
    document, printed, seconds = detect("--json")
    checked("nobody listens", "connection-refused", seconds, document, printed)
    run("ip", "addr", "del", COMMON + "/32", "dev", "lo")
    document, printed, seconds = detect("--json")
    checked("no route", "unreachable", seconds, document, printed)
    # A neighbour that never answers: the kernel itself would try for seconds.
    leads_nowhere()
    document, printed, seconds = detect("--json")
    checked("black hole", "timed-out", seconds, document, printed)


def part_probe():
    firmware(None)
    with Listener(ALIBABA, silent) as alibaba:
        for name, provider in PROVIDERS.items():
            if name == "alibaba":
                continue
            with Listener(provider["address"], Server(name)):
                document, printed, seconds = detect("--json", "--probe-cloud")
            cloud = document["cloud"]
            assert cloud["provider"] == name, (name, cloud)
            assert cloud["metadata"]["outcome"] == "proven", (name, cloud)
            assert cloud["evidence"][0]["source"].startswith("http://169.254."), cloud
            assert SECRET not in printed and seconds < 0.9, (name, seconds)
            print(f"{name}: found in {seconds * 1000:.0f} ms")
        # A reset is one provider's answer, not silence: the next is still asked.
        with Listener(COMMON, Server("hetzner", {"PUT": reset})):
            document, _, _ = detect("--json", "--probe-cloud")
        assert document["cloud"]["provider"] == "hetzner", document["cloud"]
        # A server that knows nobody's requests is nobody's.
        with Listener(COMMON, lambda c: (request(c), c.sendall(answer(404)))) as strange:
            document, _, _ = detect("--json", "--probe-cloud")
        assert document["cloud"]["provider"] is None, document["cloud"]
        assert document["cloud"]["metadata"]["outcome"] == "unproven"
        assert len(document["cloud"]["metadata"]["evidence"]) == 12
        assert strange.connections == 11, strange.connections
        # Half a second is all there is, for all of them together.
        with Listener(COMMON, silent) as quiet, Listener(SCALEWAY, silent) as other:
            document, _, seconds = detect("--json", "--probe-cloud")
        assert document["cloud"]["metadata"]["outcome"] == "timed-out"
        assert 0.49 < seconds < 0.9, seconds
        assert (quiet.connections, other.connections) == (1, 0)
        # DMI's word goes before the operator's: only its provider is asked.
        firmware(PROVIDERS["aws"]["dmi"])
        server = Server("hetzner")
        with Listener(COMMON, server):
            document, _, _ = detect("--json", "--probe-cloud")
        assert document["cloud"]["metadata"]["outcome"] == "refused"
        assert server.asked == [("PUT", "/latest/api/token")], server.asked
        assert alibaba.connections == 0, "Alibaba's address was asked without DMI's word"


class Capture:
    """Counts every packet on every device, in both directions."""

    def __enter__(self):
        all_protocols = 0x0003
        self.socket = socket.socket(
            socket.AF_PACKET, socket.SOCK_RAW, socket.htons(all_protocols)
        )
        self.settle()
        return self

    def settle(self, seconds=0.1):
        """The packets that arrive until none does for a while."""
        packets = []
        while select.select([self.socket], [], [], seconds)[0]:
            data, where = self.socket.recvfrom(65536)
            packets.append((where[0], data[:54].hex()))
        return packets

    def __exit__(self, *_):
        self.socket.close()


def leads_nowhere():
    """Two devices that lead to each other; all addresses are routed there, and nobody answers."""
    run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far")
    for name in ("near", "far"):
        run("ip", "link", "set", name, "addrgenmode", "none")
        run("ip", "link", "set", name, "up")
    run("ip", "addr", "add", "192.0.2.1/24", "dev", "near")
    run("ip", "route", "add", "default", "dev", "near")


def part_silence():
    for address in (COMMON, SCALEWAY, ALIBABA):
        run("ip", "addr", "del", address + "/32", "dev", "lo")
    leads_nowhere()
    aws = PROVIDERS["aws"]["dmi"]
    tree = os.path.join(os.getcwd(), "tree")
    os.makedirs(tree + DMI)
    with open(f"{tree}{DMI}/sys_vendor", "w") as file:
        file.write("Amazon EC2\n")
    hardware = {"sys_vendor": "Dell Inc.", "product_name": "PowerEdge R750"}
    lookalikes = {"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine"}
    # Firmware, options, and whether packets may be seen.
    cases = [
        ("no firmware", None, [], False),
        ("hardware", hardware, [], False),
        ("Hyper-V that is not Azure", lookalikes, [], False),
        ("a recorded tree of a cloud", None, ["--root", tree], False),
        ("a cloud without a known server", {"sys_vendor": "Tencent Cloud"}, [], False),
        ("a lookalike of EC2", {"sys_vendor": "e24cloud"}, [], False),
        ("a cloud, but no network wanted", aws, ["--no-network"], False),
        ("no firmware, no network wanted", None, ["--no-network"], False),
        # Were these silent too, the capture would see nothing at all.
        ("a cloud", aws, [], True),
        ("no firmware, probed", None, ["--probe-cloud"], True),
    ]
    with Capture() as capture:
        for name, texts, options, sends in cases:
            firmware(texts)
            capture.settle()
            document, _, _ = detect("--json", *options)
            packets = capture.settle(0.2)
            assert bool(packets) == sends, (name, packets)
            assert sends or document["cloud"]["metadata"] is None, (name, document["cloud"])
            print(f"{name}: {len(packets)} packets")
        firmware(aws)
        # The kernel still looks for the neighbour of the case before, once a second.
        capture.settle(2)
        for words in (["detect", "--only", "cloud"], ["record", "x.tgz"],
                      ["capabilities", "--json"]):
            capture.settle()
            run(PROGRAM, *words)
            packets = capture.settle(0.2)
            assert packets == [], (words, packets)
        watch = subprocess.Popen(
            [PROGRAM, "detect", "--watch"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )
        assert watch.stdout.readline()
        time.sleep(0.3)
        watch.terminate()
        assert watch.wait(20) == 0
        assert capture.settle(0.2) == [], "the watch sends packets"
        print("other commands: 0 packets")
        # The server finds out where it is as well, and never asks.
        run(PROGRAM, "disk", "create", "disk.footing", "--size", "16M")
        capture.settle()
        server = subprocess.Popen(
            [PROGRAM, "serve", "disk.footing", "--socket", "disk.sock"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )
        while not server.stdout.readline().startswith("ready"):
            assert server.poll() is None
        server.terminate()
        assert server.wait(20) == 0
        assert capture.settle(0.2) == [], "the server sends packets"
        print("serving: 0 packets")


def main():
    # Not the machine's own: a mistake in how this is started must do no harm.
    with open("/proc/net/dev") as file:
        devices = [line.split(":")[0].strip() for line in file.readlines()[2:]]
    assert devices == ["lo"], f"not a network namespace of our own: {devices}"
    run("mount", "-t", "tmpfs", "none", "/sys/class")
    run("ip", "link", "set", "lo", "up")
    for address in (COMMON, SCALEWAY, ALIBABA):
        run("ip", "addr", "add", address + "/32", "dev", "lo")
    with Listener(PROXY[0], silent, PROXY[1]) as proxy:
        {"providers": part_providers, "hostile": part_hostile, "probe": part_probe,
         "silence": part_silence}[sys.argv[2]]()
    assert proxy.connections == 0, "the proxy was asked"
    print("all is well")


main()
