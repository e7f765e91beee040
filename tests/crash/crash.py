"""Sessions killed at random moments, hundreds of times, and what must hold after each.

Usage: crash.py PATH-OF-BELLWETHER CATALOG CRASHES SEED
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "live"))
import checks
import tape
from venue import SECRET, Sandbox

BINARY, CATALOG, CRASHES, SEED = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

QUOTER = ["--strategy", "quoter", "--kind", "quotes", "--kind", "depth"]
QUOTER += ["--set", "strategy.half_spread_bps=0.3", "--set", "strategy.requote_bps=0.4", "--set", "strategy.qty=0.005"]
CROSS = ["--strategy", "ema_cross", "--kind", "trades", "--set", "strategy.fast=20", "--set", "strategy.slow=60", "--set", "strategy.notional=2000"]
LIMITS = ["position_notional_max=20000", "order_notional_max=15000", "orders_per_minute_max=1000", "daily_loss_max=5000"]
LIMITS = [part for limit in LIMITS for part in ("--set", f"risk.{limit}")]

# name, what trades, how surely its tape has an order before that leaves
SESSIONS = [
    ("quoter-staged", QUOTER, "staged"),
    ("quoter-direct", QUOTER, "direct"),
    ("cross-staged", CROSS, "staged"),
    ("quoter-sync", QUOTER, "sync"),
]
FAULTS = "delay=1..30,busy=0.01,error_after=0.02,disconnect=200,duplicate=0.02,reorder=0.02"


class Victim:
    """One session's state folder, and the processes that have it in turn."""

    def __init__(self, folder, venue, name, flags, durability):
        self.name, self.flags, self.folder, self.venue = name, flags, folder / name, venue
        self.folder.mkdir()
        self.config = self.folder / "settings.toml"
        text = venue.settings("cancel").replace("[session]\n", f'[session]\ndurability = "{durability}"\n')
        self.config.write_text(text)
        self.err = self.folder / "err.txt"
        self.lines = []

    def start(self, seconds=None):
        command = [BINARY, "live", "--config", str(self.config), "--state-dir", str(self.folder), "--json", *self.flags]
        command += ["--instrument", "binance:BTC/USDT", *LIMITS, "--venue-account", self.name]
        command += ["--resume", str(self.tape())] if self.tape() else []
        command += ["--for", f"{seconds}s"] if seconds else []
        key = f"BELLWETHER_KEY_BINANCE_{self.name.upper().replace('-', '_')}"
        env = {**os.environ, f"{key}_ID": self.name, f"{key}_SECRET": SECRET}
        with open(self.folder / "out.json", "w") as out, open(self.err, "w") as err:
            return subprocess.Popen(command, stdout=out, stderr=err, env=env)

    def tape(self):
        tapes = list((self.folder / "tapes").glob("*.tape"))
        assert len(tapes) <= 1, tapes
        return tapes[0] if tapes and tapes[0].stat().st_size > 8 else None

    def crash(self, dice):
        """A process that is killed: soon, mostly while it takes the session up, or later, while it trades."""
        process = self.start()
        lives = dice.choice([dice.uniform(0.0, 0.6), dice.uniform(0.3, 4.0)])
        try:
            process.wait(lives)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            self.holds()
            return True
        said = self.err.read_text()
        assert "panicked" not in said and "damaged" not in said, f"{self.name}: {said[-2000:]}"
        time.sleep(0.5)
        return False

    def holds(self):
        """What the tape says after a crash against what the venue says; what is only staged is not on it yet."""
        if not self.tape():
            return
        known = self.replayed()
        for order in self.venue.orders(self.name):
            number = int(order["clientOrderId"], 16) & ((1 << 48) - 1)
            assert number in known, f"{self.name}: the venue has order {number}, and the tape does not"
        ids = [o["clientOrderId"] for o in self.venue.orders(self.name)]
        assert len(ids) == len(set(ids)), f"{self.name}: a client order id came twice"

    def replayed(self):
        """Numbers of the orders on the tape, with what a dead process left staged carried over by the program."""
        found = checks.replayed(BINARY, str(self.tape()))
        assert found["damaged"] is None, found
        lines = tape.effects(tape.payloads(self.tape()))
        return {int(line.split()[1]) for _, line in lines if line.startswith("order ")}

    def ends(self):
        """The last process ends by itself: everything must be equal."""
        process = self.start(15)
        code = process.wait(timeout=150)
        assert code == 0, f"{self.name}: exit code {code}: {self.err.read_text()[-2000:]}"
        document = json.loads((self.folder / "out.json").read_text())
        self.venue.admin({})
        self.lines.append(f"{self.name}: {checks.books(self.venue, self.name, document, 'cancel')}")
        self.lines.append(f"{self.name}: {checks.tape_holds(BINARY, document)}")


def main():
    scratch = Path(tempfile.mkdtemp(prefix="bellwether-crash-"))
    names = [name for name, _, _ in SESSIONS]
    venue = Sandbox(BINARY, CATALOG, names, FAULTS, SEED, 3600 + CRASHES * 5)
    failed, count, lock = [], 0, threading.Lock()

    def play(victim, dice):
        nonlocal count
        try:
            crashes, tries, wanted = 0, 0, -(-CRASHES // len(SESSIONS))
            while crashes < wanted:
                tries += 1
                assert tries <= 5 * wanted, f"{crashes} of {wanted} crashes: its process ends by itself"
                if victim.crash(dice):
                    crashes += 1
                    with lock:
                        count += 1
            victim.ends()
        except Exception:
            failed.append(victim.name)
            victim.lines.append(f"{traceback.format_exc()}\n{victim.err.read_text()[-1500:]}")

    began = time.time()
    try:
        victims = [Victim(scratch, venue, *session) for session in SESSIONS]
        threads = [threading.Thread(target=play, args=(v, random.Random(f"{SEED}{v.name}"))) for v in victims]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for victim in victims:
            print(*victim.lines, sep="\n", flush=True)
    finally:
        venue.end()
    if failed:
        sys.exit(f"crash: {', '.join(failed)} failed; what is left of them is in {scratch}")
    shutil.rmtree(scratch)
    print(f"crash: {count} processes killed and taken up again in {time.time() - began:.0f} s, nothing lost or doubled")


main()
