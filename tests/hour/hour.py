"""A session that trades without rest for a long time: both sides equal at its end, and memory that does not grow.

Usage: hour.py PATH-OF-BELLWETHER-HOUR CATALOG SECONDS SEED
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from statistics import median

sys.path.append(str(Path(__file__).resolve().parent.parent / "live"))
import checks
from venue import SECRET, Sandbox

BINARY, CATALOG, SECONDS, SEED = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

NAME = "hour"
FAULTS = "disconnect=3000,duplicate=0.005,reorder=0.005,busy=0.0001,error_after=0.001,error_before=0.001"
# More than the strategy needs: half of what is allowed is used.
ORDERS_10S, WEIGHT = 20_000, 4_000_000
LIMITS = ["position_notional_max=100000", "order_notional_max=15000", "orders_per_minute_max=100000"]
LIMITS += ["daily_loss_max=900000", "open_orders_max=180"]
# A quarter of the usual: with each file of the tape there is a snapshot, and there are more of them.
SEGMENT_KIB = 8192
# Until as many orders have ended as are kept, and the first snapshot is written, memory grows. After that the median of the
# last quarter may be so much above that of the first: of what is resident, and of the lowest that was allocated within
# some minutes each.
WARMUP_S, GROWTH_MAX, LOW_OF_S = 300, 0.02, 120
# Ended orders that are kept (session.orders_kept), and a quarter more.
WARMUP_ORDERS = 20_480
EVERY_S = 10


def a_port():
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Sample:
    """The session at one time: seconds since its begin, orders and fills, megabytes resident and megabytes allocated."""

    def __init__(self, began, pid, heap, health):
        self.at = time.time() - began
        with open(f"/proc/{pid}/status") as status:
            line = next(line for line in status if line.startswith("VmRSS:"))
        self.resident = int(line.split()[1]) / 1024
        self.heap = int(heap.read_text()) / (1 << 20)
        try:
            pulse = json.load(urllib.request.urlopen(health, timeout=30))["pulse"]
        except urllib.error.HTTPError as unwell:
            pulse = json.load(unwell)["pulse"]
        self.orders, self.fills = (pulse["orders"], pulse["fills"]) if pulse else (0, 0)

    def __str__(self):
        return f"{self.at:6.0f} s {self.orders:8} orders {self.fills:7} fills {self.resident:7.1f} MB resident {self.heap:7.2f} MB allocated"


def trade(folder, venue):
    """The session; gives its document and how it stood over time."""
    config = folder / "settings.toml"
    rates = f"orders_per_10s = {ORDERS_10S}\nweight_per_minute = {WEIGHT}\n"
    config.write_text(venue.settings("cancel") + rates)
    command = [BINARY, "live", "--config", str(config), "--state-dir", str(folder), "--json", "--strategy", "bustle"]
    command += ["--kind", "trades", "--instrument", "binance:BTC/USDT", "--venue-account", NAME, "--for", f"{SECONDS}s"]
    command += [part for limit in LIMITS for part in ("--set", f"risk.{limit}")]
    heap, port = folder / "heap", a_port()
    command += ["--set", f"session.health_addr=127.0.0.1:{port}", "--set", f"session.segment_kib={SEGMENT_KIB}"]
    env = {**os.environ, "BELLWETHER_KEY_BINANCE_HOUR_ID": NAME, "BELLWETHER_KEY_BINANCE_HOUR_SECRET": SECRET}
    env["BELLWETHER_HOUR_HEAP"] = str(heap)
    samples, began, last = [], time.time(), SECONDS + 120
    with open(folder / "out.json", "w") as out, open(folder / "err.txt", "w") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env=env)
        while True:
            try:
                process.wait(EVERY_S)
                break
            except subprocess.TimeoutExpired:
                passed = time.time() - began
                assert passed < last, f"the session does not end: {(folder / 'err.txt').read_text()[-2000:]}"
                if passed < SECONDS:
                    samples.append(Sample(began, process.pid, heap, f"http://127.0.0.1:{port}/health"))
                    print(samples[-1], file=sys.stderr, flush=True)
    said = (folder / "err.txt").read_text()
    assert process.returncode == 0 and "panicked" not in said, f"exit code {process.returncode}: {said[-2000:]}"
    return json.loads((folder / "out.json").read_text()), samples


def lows(samples):
    """The lowest of each two minutes: what is kept, without what is on its way, which is more on a busy machine."""
    parts = {}
    for sample in samples:
        parts.setdefault(sample.at // LOW_OF_S, []).append(sample.heap)
    return [min(part) for part in parts.values()]


def is_flat(samples):
    """Whether memory after the warm-up is at its end what it was at its beginning; gives that in words."""
    warm = [s for s in samples if s.at >= WARMUP_S]
    assert len(warm) * EVERY_S >= 4 * LOW_OF_S, f"{SECONDS} s are too few: memory is looked at from {WARMUP_S} s on"
    assert warm[0].orders > WARMUP_ORDERS, f"after {WARMUP_S} s there were only {warm[0].orders} orders: memory still grows"
    words, grown = [], []
    for what, sizes in (("resident", [s.resident for s in warm]), ("allocated", lows(warm))):
        quarter = len(sizes) // 4
        first, last = median(sizes[:quarter]), median(sizes[-quarter:])
        grown.append(last / first - 1)
        words.append(f"{what} {first:.1f} MB in the first quarter, {last:.1f} MB in the last: {grown[-1]:+.2%}")
    assert max(grown) <= GROWTH_MAX, f"memory grows: {'; '.join(words)}"
    return "; ".join(words)


def by_minute(samples):
    """A table of how the session stood at the end of each minute."""
    rows = ["| minute | orders | fills | resident, MB | allocated, MB |", "|---|---|---|---|---|"]
    last = {int(s.at // 60): s for s in samples}
    rows += [f"| {n + 1} | {s.orders} | {s.fills} | {s.resident:.1f} | {s.heap:.2f} |" for n, s in last.items()]
    return "\n".join(rows)


def main():
    folder = Path(tempfile.mkdtemp(prefix="bellwether-hour-"))
    more = ["--weight-limit", str(WEIGHT), "--order-limit", str(ORDERS_10S), "--day-limit", "100000000"]
    venue = Sandbox(BINARY, CATALOG, [NAME], FAULTS, SEED, SECONDS + 3600, more)
    try:
        document, samples = trade(folder, venue)
        print(by_minute(samples), flush=True)
        whole = folder / "whole.json"
        began = time.time()
        replay = [BINARY, "replay", document["run"]["tape"], "--json", "--document", str(whole)]
        done = subprocess.run(replay, capture_output=True, text=True)
        found = json.loads(done.stdout)
        assert done.returncode == 0 and found["equal"], f"replay: {done.returncode} {done.stdout} {done.stderr}"
        hashes = found["order_hash"]
        assert hashes["recorded"] == hashes["replayed"] == document["run"]["order_hash"], hashes
        print(f"{found['records']} records replay in {time.time() - began:.0f} s, {found['snapshots']['equal']} snapshots equal")
        venue.admin({})
        all_of_it = json.loads(whole.read_text())
        orders = len(all_of_it["orders"])
        assert orders == document["summary"]["orders"], (orders, document["summary"]["orders"])
        print(checks.books(venue, NAME, all_of_it, "cancel"))
        rate = orders / SECONDS
        print(f"{rate:.0f} orders a second, {len(document['orders'])} of them in the session's own report")
        print(is_flat(samples))
        if not os.environ.get("HOUR_KEEP"):
            shutil.rmtree(folder)
    except BaseException:
        print(f"hour: what is left is in {folder}", file=sys.stderr)
        raise
    finally:
        venue.end()


main()
