#!/usr/bin/python3
"""What an idle client costs: opens N sessions that log in and stay silent, and prints how much a proxy grew for each.

usage: idle.py name=port:pid... [--n 5000] [--db NAME] [--user NAME]
pid may be a pid file. Reading another user's memory map needs root, and so does reading pgiam's: it is not dumpable.
"""
import argparse
import os
import socket
import struct
import sys
import time

READY = b"Z\0\0\0\x05I"


def pss_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))


def log_in(port, startup):
    s = socket.create_connection(("127.0.0.1", port), timeout=10)
    s.sendall(startup)
    got = b""
    while not got.endswith(READY):
        more = s.recv(65536)
        if not more:
            sys.exit(f"port {port}: closed after {got[:200]!r}")
        got += more
    return s


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("targets", nargs="+", metavar="name=port:pid")
    ap.add_argument("--n", type=int, default=5000)
    ap.add_argument("--db", default="bench")
    ap.add_argument("--user", default="postgres")
    args = ap.parse_args()
    words = ["user", args.user, "database", args.db, "application_name", "idle", ""]
    body = struct.pack("!I", 3 << 16) + b"".join(w.encode() + b"\0" for w in words)
    startup = struct.pack("!I", len(body) + 4) + body
    for target in args.targets:
        name, _, rest = target.partition("=")
        port, _, pid = rest.partition(":")
        if os.path.exists(pid):
            with open(pid) as f:
                pid = f.read().split()[0]
        log_in(int(port), startup).close()  # what a first client brings in is not what one more costs
        before, start = pss_kb(pid), time.monotonic()
        clients = [log_in(int(port), startup) for _ in range(args.n)]
        rate = args.n / (time.monotonic() - start)
        time.sleep(1)
        grown = pss_kb(pid) - before
        print(f"{name}: {args.n} idle clients, {grown} kB more, {grown * 1024 / args.n:.0f} bytes each, {rate:.0f} logins/s")
        for c in clients:
            c.close()
        time.sleep(1)
    return 0


sys.exit(main())
