"""Runs a sandbox where there is no network but loopback, and says what the kernel saw of it.

Started in a network namespace of its own (`unshare --net`). The kernel counts every connection that
is opened and every packet that finds no way, whatever code asked for it: neither Python nor uvloop
can reach out unseen. Prints one JSON object.
"""

import fcntl
import http.client
import json
import socket
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

from sandbox_process import start_sandbox

TOKEN = {"Authorization": "Bearer sandbox_isolated"}
GET_FLAGS, SET_FLAGS, IS_UP = 0x8913, 0x8914, 0x1


def switch_loopback_on() -> None:
    """What `ip link set lo up` does."""
    with socket.socket(type=socket.SOCK_DGRAM) as anything:
        request = struct.pack("16sH14x", b"lo", 0)
        [flags] = struct.unpack("16xH14x", fcntl.ioctl(anything, GET_FLAGS, request))
        fcntl.ioctl(anything, SET_FLAGS, struct.pack("16sH14x", b"lo", flags | IS_UP))


def counted() -> dict[str, int]:
    """What this namespace has sent so far."""
    lines = Path("/proc/net/snmp").read_text().splitlines()
    table: dict[str, int] = {}
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        protocol, *fields = names.split()
        table |= {
            f"{protocol}{field}": int(value)
            for field, value in zip(fields, values.split()[1:], strict=True)
        }
    return {
        "connections": table["Tcp:ActiveOpens"],
        "datagrams": table["Udp:OutDatagrams"],
        "no way out": table["Ip:OutNoRoutes"],
    }


def use(url: str) -> int:
    """Drives every operation and every scenario on one connection; returns how many calls."""
    client = http.client.HTTPConnection(url.removeprefix("http://"))
    client.connect()
    opened = client.sock

    def request(method: str, path: str, body: Any = None) -> Any:
        headers = {**TOKEN, "Content-Type": "application/json"}
        client.request(method, path, None if body is None else json.dumps(body), headers)
        return json.loads(client.getresponse().read() or "null")

    agent = request("GET", "/v1/agents")["agents"][0]["key"]
    for scenario in request("GET", "/sandbox/scenarios")["scenarios"]:
        call = request("POST", "/v1/calls", {"phone": scenario["number"], "agent": agent})
        request("POST", "/sandbox/clock", {"until": "idle"})
        if "call_id" in call:
            request("GET", f"/v1/calls/{call['call_id']}")
    ended = request("GET", "/sandbox/journal/har")["log"]["entries"]
    for path in ("/healthz", "/readyz", "/sandbox", "/sandbox/coverage", "/v1/nowhere"):
        request("GET", path)
    assert client.sock is opened, "the one connection was closed on the way"
    client.close()
    return sum(entry["request"]["url"].endswith("call-completed") for entry in ended)


def main() -> None:
    assert [name for _, name in socket.if_nameindex()] == ["lo"], "this is no place of its own"
    switch_loopback_on()
    with tempfile.TemporaryDirectory() as folder:
        with start_sandbox(Path(folder), *sys.argv[1:]) as server:
            deliveries = use(server.url)
        seen = counted()
        # The same eyes on somebody who does reach out: what proves that they see.
        for address in ("192.0.2.1", "198.51.100.1"):
            try:
                socket.create_connection((address, 80), timeout=1).close()
            except OSError:
                continue
        control = counted()
    sys.stdout.write(json.dumps({"deliveries": deliveries, "seen": seen, "control": control}))


if __name__ == "__main__":
    main()
