"""Metrics of a running disk, against what this client did.

metrics.py URI counted|parsed|accelerated|fetched PROGRAM CONTAINER
"""

import glob
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time

import nbd

uri, what, program, container = sys.argv[1:]


def status(*options):
    return subprocess.run(
        [program, "status", container, *options], check=True, capture_output=True, text=True
    ).stdout


def work():
    """Does some of everything; gives how often, how many bytes, and how many errors, by kind."""
    handle = nbd.NBD()
    handle.set_strict_mode(0)
    handle.add_meta_context("base:allocation")
    handle.connect_uri(uri)
    done = {}

    def count(kind, length, failed=False):
        entry = done.setdefault(kind, [0, 0, 0])
        entry[0] += 1
        entry[1] += 0 if failed else length
        entry[2] += failed

    for index in range(50):
        handle.pwrite(bytes([index]) * 8192, index * 65536)
        count("write", 8192)
    for length in (512, 4096, 131072, 262144, 1 << 20, 4 << 20):
        handle.pwrite(b"x" * length, 8 << 20)
        count("write", length)
        handle.pread(length, 8 << 20)
        count("read", length)
    handle.pwrite(b"y" * 4096, 0, nbd.CMD_FLAG_FUA)
    count("write", 4096)
    # Many at once: they come in one turn, and some of the flushes are answered together.
    cookies = [handle.aio_pread(nbd.Buffer(4096), index * 65536) for index in range(64)]
    cookies += [handle.aio_flush() for _ in range(16)]
    for _ in range(64):
        count("read", 4096)
    for _ in range(16):
        count("flush", 0)
    while cookies:
        handle.poll(-1)
        cookies = [cookie for cookie in cookies if not handle.aio_command_completed(cookie)]
    handle.flush()
    count("flush", 0)
    handle.trim(1 << 20, 0)
    count("trim", 1 << 20)
    handle.zero(1 << 20, 4 << 20)
    count("writeZeroes", 1 << 20)
    handle.cache(65536, 0)
    count("cache", 65536)
    handle.block_status(1 << 20, 0, lambda *_: 0)
    count("blockStatus", 1 << 20)
    for operation, kind in ((handle.trim, "trim"), (handle.zero, "writeZeroes")):
        try:
            operation(4096, 1 << 40)
            sys.exit(f"{kind} beyond the end")
        except nbd.Error:
            count(kind, 4096, failed=True)
    return handle, done


def counted():
    handle, done = work()
    disk = json.loads(status("--json"))["disks"][0]
    for kind, (count, length, errors) in done.items():
        told = disk["requests"][kind]
        assert (told["count"], told["bytes"], told["errors"]) == (count, length, errors), (
            kind, told, done[kind])
        assert sum(number for _, number in told["buckets"]) == count, told
        assert 0 < told["p50Nanoseconds"] <= told["p99Nanoseconds"], told
        assert told["p99Nanoseconds"] <= told["maximumNanoseconds"] < 60e9, told
        # The server has not looked yet: all of it is recent.
        if disk["uptimeSeconds"] < 5:
            assert told["recent"]["count"] == count, told
    sums = [sum(entry[0] for entry in done.values()), disk["clients"]["requests"]]
    assert sums[0] == sums[1], sums
    written = sum(disk["container"]["written"].values())
    factor = written / (disk["disk"]["blocksWritten"] * 4096)
    assert abs(factor - disk["container"]["writeAmplification"]) < 1e-9, disk["container"]
    assert disk["container"]["allocatedBytes"] == os.stat(container).st_blocks * 512
    assert disk["disk"]["flushGroups"]["flushes"] > 0, disk["disk"]
    text = status()
    for line in ("reads", "writes", "flushes", "trims", "zeroes", "space", "amplified"):
        assert any(row.startswith(line + " ") for row in text.split("\n")), (line, text)
    assert "p999" in text, text
    # More than twice the period in which the server looks: nothing was lately.
    time.sleep(12)
    recent = json.loads(status("--json"))["disks"][0]["requests"]
    assert recent["read"]["recent"]["count"] == 0, recent["read"]
    assert recent["recentNanoseconds"] < 20e9, recent["recentNanoseconds"]
    handle.shutdown()


def parsed():
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    handle, done = work()
    text = status("--openmetrics")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    read = 0
    for family in families.values():
        assert family.documentation, family
        read += len(family.samples)
    assert read == sum(not line.startswith("#") for line in text.splitlines()), read
    durations = families["footing_request_duration_seconds"]
    assert (durations.type, durations.unit) == ("histogram", "seconds"), durations
    counts = {
        sample.labels["kind"]: sample.value
        for sample in durations.samples
        if sample.name.endswith("_count")
    }
    assert counts == {kind: entry[0] for kind, entry in done.items()}, (counts, done)
    errors = families["footing_request_errors"]
    assert errors.type == "counter", errors
    for sample in errors.samples:
        assert sample.name == "footing_request_errors_total", sample
        assert sample.value == done[sample.labels["kind"]][2], sample
        assert sample.labels["disk"] == container, sample
    assert families["footing_disk"].type == "info", families["footing_disk"]
    handle.shutdown()


def accelerated():
    """Of a disk with LZ4 and encryption: every block is tried, stored, and brought back."""
    handle = nbd.NBD()
    handle.connect_uri(uri)
    count = 64
    for index in range(count):
        text = bytes([index]) * 3000 + os.urandom(1096)
        handle.pwrite(text, index * 4096)
    handle.flush()
    disk = json.loads(status("--json"))["disks"][0]
    done = disk["acceleration"]
    packed, sealed = done["lz4.compress"], done["aes-256-gcm.seal"]
    assert packed["count"] == count, packed
    assert packed["inputBytes"] == count * 4096 > packed["outputBytes"] > 0, packed
    assert packed["failures"] == packed["standIns"] == sealed["failures"] == 0, done
    # Each block, and headers of commits besides.
    assert sealed["count"] > count, sealed
    assert sealed["inputBytes"] == sealed["outputBytes"] > 0, sealed
    assert sealed["bytesPerSecond"] > 0, sealed
    assert done["deflate.compress"]["count"] == 0, done
    assert done["deflate.compress"]["bytesPerSecond"] is None, done
    text = status("--openmetrics")
    name = 'footing_acceleration_operations_total{.*operation="lz4.compress"} (.*)'
    assert re.search(name, text)[1] == str(count), text
    assert re.search("footing_blocks_compressed_total{.*} (.*)", text)[1] == str(count), text
    handle.shutdown()


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(glob.glob(os.environ["FOOTING_RUNTIME_DIR"] + "/*.sock")[0])


def fetched():
    for _ in range(3):
        connection = Connection("localhost")
        connection.request("GET", "/metrics", headers={"Accept": "*/*"})
        response = connection.getresponse()
        assert response.status == 200, response.status
        media = response.headers["Content-Type"]
        assert media == "application/openmetrics-text; version=1.0.0; charset=utf-8", media
        text = response.read().decode()
        assert text.endswith("\n# EOF\n"), text
        size = r'footing_disk_size_bytes\{disk="disk\.footing",uuid="[0-9a-f-]{36}"\} 16777216\n'
    assert re.search(size, text), text
    for method, path, expected in (("GET", "/", 404), ("PUT", "/metrics", 405)):
        connection = Connection("localhost")
        connection.request(method, path)
        assert connection.getresponse().status == expected


{"counted": counted, "parsed": parsed, "accelerated": accelerated, "fetched": fetched}[what]()
