#!/usr/bin/python3
"""Proxies side by side: pgbench through each of them in turn, against one PostgreSQL.

usage: peers.py TARGET... [--rounds N] [--secs S] [--scenario NAME...] [--db NAME] [--user NAME]
TARGET is name=port[:pid]; with a pid (or a pid file) CPU time per transaction is told too.

Prints for each scenario and target the medians over the rounds of transactions a second, CPU microseconds a
transaction, and latency; and the median of each round's ratio to the first target. Rounds are interleaved and the
order turns, so that what else the machine does hits all targets alike: trust the ratios, not the numbers.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile

PGBENCH = os.environ.get("PGBENCH", "pgbench")

# One thread each: pgbench must not be what is measured twice over. -S: one SELECT by key.
SCENARIOS = {
    "simple": ["-S", "-M", "simple", "-c", "16"],
    "extended": ["-S", "-M", "extended", "-c", "16"],
    "prepared": ["-S", "-M", "prepared", "-c", "16"],
    "tpcb": ["-N", "-M", "simple", "-c", "16"],
    "one": ["-S", "-M", "simple", "-c", "1"],
    "connect": ["-S", "-C", "-M", "simple", "-c", "8"],
    "many": ["-S", "-M", "simple", "-c", "200"],
    "bulk": ["-f", "@bulk", "-c", "2"],
    "rows": ["-f", "@rows", "-c", "4"],
    "pipeline": ["-f", "@pipeline", "-M", "extended", "-c", "8"],
}
SQL = {
    "@bulk": "select repeat('x', 1000000) from generate_series(1,8);\n",
    "@rows": "select g, 'some text value ' || g, now() from generate_series(1,1000) g;\n",
    "@pipeline": "\\startpipeline\n" + "select 1;\n" * 20 + "\\endpipeline\n",
}


def process_tree(pid):
    pids = [pid]
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            for child in f.read().split():
                pids += process_tree(int(child))
    except OSError:
        pass
    return pids


def cpu_us(pid):
    """CPU time of all threads of pid and its children so far."""
    total = 0
    for p in process_tree(pid) if pid else []:
        try:
            for thread in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{thread}/schedstat") as f:
                    total += int(f.read().split()[0])
        except OSError:
            pass  # a thread that ended meanwhile
    return total / 1e3


def pgbench(scenario, scripts, port, args):
    """(transactions, tps, latency in ms), or None and pgbench's last words."""
    words = [scripts.get(w, w) for w in SCENARIOS[scenario]]
    cmd = [PGBENCH, "-h", "127.0.0.1", "-p", str(port), "-U", args.user, "-n", "-j", "1", "-T", str(args.secs)]
    env = dict(os.environ, PGSSLMODE="disable", PGPASSWORD="ignored")
    done = subprocess.run(cmd + words + [args.db], capture_output=True, text=True, env=env)
    found = [
        re.search(rx, done.stdout)
        for rx in (r"actually processed: (\d+)", r"tps = ([\d.]+) \(", r"latency average = ([\d.]+) ms")
    ]
    if not all(found) or int(found[0].group(1)) == 0:
        return None, " ".join((done.stderr or done.stdout).split())[-200:]
    return [float(m.group(1)) for m in found], None


def parse_target(text):
    name, _, rest = text.partition("=")
    port, _, pid = rest.partition(":")
    if pid and os.path.exists(pid):
        with open(pid) as f:
            pid = f.read().split()[0]
    return name, int(port), int(pid or 0)


def compare(scenario, targets, scripts, args):
    """Prints a scenario's lines."""
    rounds = []  # of {name: (tps, cpu, latency)}
    for n in range(args.rounds):
        one = {}
        for name, port, pid in targets[n % len(targets) :] + targets[: n % len(targets)]:
            before = cpu_us(pid)
            got, words = pgbench(scenario, scripts, port, args)
            if got is None:
                print(f"{scenario:9} {name:12} FAILED {words}", flush=True)
                continue
            count, tps, latency = got
            one[name] = (tps, (cpu_us(pid) - before) / count, latency)
        rounds.append(one)
    first = targets[0][0]
    for name, _, _ in targets:
        mine = [r[name] for r in rounds if name in r]
        if not mine:
            continue
        both = [(r[name], r[first]) for r in rounds if name in r and first in r]
        ratio = [[a[i] / b[i] for a, b in both if b[i]] for i in range(3)]
        tps, cpu, latency = (statistics.median(m) for m in zip(*mine))
        r = [f"{statistics.median(x):5.2f}x" if x else "     -" for x in ratio]
        print(
            f"{scenario:9} {name:12} tps {tps:9.1f} {r[0]}   cpu/tx {cpu:9.2f} us {r[1]}   "
            f"latency {latency:8.3f} ms {r[2]}",
            flush=True,
        )


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("targets", nargs="+", type=parse_target, metavar="name=port[:pid]")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--secs", type=int, default=4)
    ap.add_argument("--scenario", nargs="*", default=list(SCENARIOS), choices=list(SCENARIOS))
    ap.add_argument("--db", default="bench")
    ap.add_argument("--user", default="postgres")
    args = ap.parse_args()
    with tempfile.TemporaryDirectory(prefix="pgiam-bench-") as folder:
        scripts = {}
        for name, sql in SQL.items():
            scripts[name] = os.path.join(folder, name[1:] + ".sql")
            with open(scripts[name], "w") as f:
                f.write(sql)
        for scenario in args.scenario:
            compare(scenario, args.targets, scripts, args)
    return 0


sys.exit(main())
