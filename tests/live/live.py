"""Sessions under seeded faults, and what must hold of them afterwards.

Usage: live.py PATH-OF-BELLWETHER CATALOG SECONDS [STORY…]
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

import checks
import tape
from venue import SECRET, Sandbox

BINARY, CATALOG, SECONDS = sys.argv[1], sys.argv[2], int(sys.argv[3])

# name, faults, seed, what becomes of open orders at the end
MIXES = [
    ("calm", "", 1, "keep"),
    ("network", "delay=5..80,disconnect=400,reset=0.03,lifetime=25", 2, "cancel"),
    ("messages", "duplicate=0.05,reorder=0.05,drop=0.03", 3, "cancel"),
    ("venue", "delay=1..20,busy=0.03,error_after=0.08,error_before=0.05,skew=1500", 4, "cancel"),
    ("silence", "stale=600,delay=0..10,drop=0.01", 5, "keep"),
    ("storm", "delay=1..60,disconnect=700,duplicate=0.03,reorder=0.03,drop=0.02,busy=0.02,error_after=0.05,reset=0.03", 6, "cancel"),
]

QUOTER = ["--strategy", "quoter", "--kind", "quotes", "--kind", "depth"]
QUOTER += ["--set", "strategy.half_spread_bps=0.3", "--set", "strategy.requote_bps=0.4", "--set", "strategy.qty=0.005"]
CROSSING = (20, 60)
CROSS = ["--strategy", "ema_cross", "--kind", "trades", "--set", "strategy.notional=2000"]
CROSS += ["--set", f"strategy.fast={CROSSING[0]}", "--set", f"strategy.slow={CROSSING[1]}"]
LIMITS = ["position_notional_max=20000", "order_notional_max=15000", "orders_per_minute_max=1000", "daily_loss_max=5000"]
LIMITS = [part for limit in LIMITS for part in ("--set", f"risk.{limit}")]

PAPER = {"paper-cross": CROSS, "paper-quoter": [*QUOTER, "--fill-profile", "book@1"]}
LIVE = {"live-cross": CROSS, "live-quoter": QUOTER}


# Sessions without an end of their own: a story that fails leaves none behind.
STARTED = []


class Session:
    """A run of the program that trades until it is told to end."""

    def __init__(self, folder, name, settings, seconds=None, extra=()):
        mode, flags = name.split("-")[0], {**PAPER, **LIVE}[name]
        self.name, self.folder = name, folder / name
        self.folder.mkdir(exist_ok=True)
        config = self.folder / "settings.toml"
        config.write_text(settings)
        command = [BINARY, mode, "--config", str(config), "--state-dir", str(self.folder), "--json", *flags, *extra]
        command += ["--instrument", "binance:BTC/USDT"]
        command += [*LIMITS, "--venue-account", name] if mode == "live" else []
        command += ["--for", f"{seconds}s"] if seconds else []
        keys = f"BELLWETHER_KEY_BINANCE_{name.upper().replace('-', '_')}"
        env = {**os.environ, f"{keys}_ID": name, f"{keys}_SECRET": SECRET}
        self.out, self.err = self.folder / "out.json", self.folder / "err.txt"
        with open(self.out, "w") as out, open(self.err, "a") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err, env=env)
        STARTED.append(self.process)

    def document(self, lasts):
        """The report at the end, which has to be a good one."""
        code = self.process.wait(timeout=lasts)
        stderr = self.err.read_text()
        assert "panicked" not in stderr, f"{self.name}: {stderr[-3000:]}"
        assert code == 0, f"{self.name}: exit code {code}: {stderr[-3000:]}"
        return json.loads(self.out.read_text())

    def tape(self):
        (only,) = (self.folder / "tapes").glob("*.tape")
        return only

    def waits_for(self, what, seconds=60):
        """Until the tape has so many effects of a kind."""
        word, count = what
        until = time.time() + seconds
        while time.time() < until:
            assert self.process.poll() is None, f"{self.name} ended: {self.err.read_text()[-3000:]}"
            if (self.folder / "tapes").exists() and list((self.folder / "tapes").glob("*.tape")):
                lines = tape.effects(tape.frames(self.tape().read_bytes()))
                if sum(line.startswith(word) for _, line in lines) >= count:
                    return
            time.sleep(0.3)
        raise AssertionError(f"{self.name} has no {count} effects {word!r} after {seconds} s: {self.err.read_text()[-3000:]}")


def mix(name, faults, seed, on_stop):
    """Two paper and two live sessions at once on a venue with faults."""

    def story(folder, tell):
        venue = Sandbox(BINARY, CATALOG, LIVE, faults, seed, 3600 + SECONDS)
        try:
            settings = venue.settings(on_stop)
            sessions = [Session(folder, n, settings, SECONDS) for n in [*PAPER, *LIVE]]
            documents = {s.name: s.document(SECONDS + 120) for s in sessions}
            venue.admin({})
            time.sleep(0.5)
            for session, document in documents.items():
                assert document["orders"], f"{session} made no order in {SECONDS} s"
                if session.endswith("quoter"):
                    rested = [o for o in document["orders"] if o["type"] == "limit" and o["state"] != "rejected"]
                    assert rested, f"no order of {session} rested"
                if session in LIVE:
                    tell(f"{session}: {checks.books(venue, session, document, on_stop)}")
                tell(f"{session}: {checks.tape_holds(BINARY, document)}")
                path = document["run"]["tape"]
                tell(f"{session}: {checks.a_flipped_byte_is_named(BINARY, path, folder)}")
                if session.endswith("cross"):
                    tell(f"{session}: {checks.a_changed_trade_is_named(BINARY, path, folder)}")
                    tell(f"{session}: {checks.is_explained(BINARY, path, *CROSSING, random.Random(seed))}")
        finally:
            venue.end()

    return name, story


def ends_by(sign, on_stop):
    """A signal ends sessions gracefully: the report is written, orders are cancelled or kept as the settings say."""

    def story(folder, tell):
        venue = Sandbox(BINARY, CATALOG, LIVE, "", 11, 3600)
        try:
            settings = venue.settings(on_stop)
            sessions = [Session(folder, n, settings) for n in [*PAPER, *LIVE]]
            for session in sessions:
                session.waits_for(("order", 2), 180)
            time.sleep(3)
            for session in sessions:
                session.process.send_signal(sign)
            for session in sessions:
                document = session.document(90)
                if session.name in LIVE:
                    tell(f"{session.name}: {checks.books(venue, session.name, document, on_stop)}")
                cancels = checks.cancels_at_the_end(document)
                assert on_stop == "cancel" or not cancels, f"on_stop = {on_stop}, and it did {cancels}"
                tell(f"{session.name}: {len(cancels)} orders cancelled at the end")
                tell(f"{session.name}: {checks.tape_holds(BINARY, document)}")
        finally:
            venue.end()

    return f"{sign.name.lower()}-{on_stop}", story


def killed(folder, tell):
    """kill -9: the tape is torn at most, replays, and the session goes on with the same account and its old orders."""
    venue = Sandbox(BINARY, CATALOG, LIVE, "delay=1..20,busy=0.02,error_after=0.03", 12, 3600)
    try:
        settings = venue.settings("cancel")
        sessions = [Session(folder, n, settings) for n in [*PAPER, *LIVE]]
        for session in sessions:
            session.waits_for(("filled", 1), 240)
        time.sleep(5)
        for session in sessions:
            session.process.kill()
            session.process.wait()
        for session in sessions:
            path = session.tape()
            found = checks.replayed(BINARY, str(path))
            assert found["order_hash"]["recorded"] is None, found
            before = tape.effects(tape.frames(path.read_bytes()))
            tell(f"{session.name}: killed with {len(before)} effects, {found['torn_bytes']} bytes torn")
        resumed = [Session(folder, s.name, settings, 15, ["--resume", str(s.tape())]) for s in sessions]
        for old, session in zip(sessions, resumed):
            document = session.document(90)
            fills = [line for _, line in before_of(old, document)]
            assert fills, "it went on without what it had filled"
            if session.name in LIVE:
                venue.admin({})
                tell(f"{session.name}: goes on, {checks.books(venue, session.name, document, 'cancel')}")
            tell(f"{session.name}: {checks.tape_holds(BINARY, document)}")
        torn = folder / "torn.tape"
        data = resumed[-1].tape().read_bytes()
        torn.write_bytes(data[: tape.offsets(data)[-2] + 5])
        found = checks.replayed(BINARY, str(torn))
        assert found["torn_bytes"] == 5, found
        tell("a tape that ends within a record replays, and says so")
    finally:
        venue.end()


def before_of(session, document):
    """The fills on the tape up to where it was taken up; the report begins with the same ones."""
    payloads = tape.frames(session.tape().read_bytes())
    resume = next(n for n, p in enumerate(payloads) if p[0] == tape.RESUME)
    fills = [(n, line) for n, line in tape.effects(payloads[:resume]) if line.startswith("filled")]
    told = [(int(line.split()[1]), float(line.split()[2]), float(line.split()[4])) for _, line in fills]
    said = [(f["order"], float(f["qty"]), float(f["price"])) for f in document["fills"][: len(told)]]
    assert told == said, f"before the end {told}, after it {said}"
    return fills


STORIES = dict(
    [mix(*m) for m in MIXES]
    + [ends_by(signal.SIGTERM, "cancel"), ends_by(signal.SIGINT, "keep"), ("killed", killed)]
)


def main():
    chosen = sys.argv[4:] or list(STORIES)
    scratch = Path(tempfile.mkdtemp(prefix="bellwether-live-"))
    failed, lock = [], threading.Lock()

    def play(name):
        folder = scratch / name
        folder.mkdir()
        lines = []
        try:
            STORIES[name](folder, lines.append)
        except Exception:
            failed.append(name)
            lines.append(traceback.format_exc())
        with lock:
            print(f"-- {name}{' FAILED' if name in failed else ''}", *lines, sep="\n   ", flush=True)

    threads = [threading.Thread(target=play, args=(name,)) for name in chosen]
    for thread in threads:
        thread.start()
        time.sleep(0.2)
    for thread in threads:
        thread.join()
    for process in STARTED:
        if process.poll() is None:
            process.kill()
    if failed:
        sys.exit(f"live: {', '.join(failed)} failed; what is left of them is in {scratch}")
    shutil.rmtree(scratch)
    print(f"live: {len(chosen)} stories hold, {SECONDS} s each mix")


main()
