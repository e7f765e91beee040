"""What a live session reports by default, each provoked: a sink that asks for nothing gets it all.

Usage: reports.py PATH-OF-BELLWETHER ROOT-OF-THE-REPOSITORY
"""

import hashlib
import hmac
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(sys.argv[2]).resolve()
sys.path.insert(0, str(ROOT / "tests" / "live"))

from venue import SECRET, Sandbox  # noqa: E402

BINARY = str(Path(sys.argv[1]).resolve())
QUOTER = ["--strategy", "quoter", "--kind", "quotes", "--kind", "depth"]
QUOTER += ["--set", "strategy.half_spread_bps=0.3", "--set", "strategy.requote_bps=0.4", "--set", "strategy.qty=0.005"]
LIMITS = ["position_notional_max=520", "order_notional_max=15000", "orders_per_minute_max=1000", "daily_loss_max=500"]
LIMITS = [part for limit in LIMITS for part in ("--set", f"risk.{limit}")]


class Desk:
    """A venue, a session with two sinks, and what they were told."""

    def __init__(self, folder):
        self.folder = folder
        self.venue = Sandbox(BINARY, str(ROOT / "backtest-data"), ["main"], "", 3, 600)
        self.key("other")
        self.config, self.all, self.errors = folder / "settings.toml", folder / "all.jsonl", folder / "errors.jsonl"
        self.sign_with("main")
        # One sink with nothing but its kind, place and pace; one for what somebody must look at.
        self.config.write_text(
            f"{self.venue.settings('cancel').replace('[session]', '[session]' + chr(10) + 'disk_free_min_mb = 1000000000')}"
            f'[keys]\npoll_s = 1\noverlap_s = 2\n[[key]]\naccount = "binance/main"\nsource = "file:{folder / "key.json"}"\n'
            f'[sink.all]\nkind = "file"\nto = "{self.all}"\nper_minute_max = 60000\n'
            f'[sink.errors]\nkind = "file"\nto = "{self.errors}"\nlevel = "error"\nper_minute_max = 60000\n'
        )

    def key(self, name):
        body = json.dumps({"key": f"{name}@main:{SECRET}:read,trade"}).encode()
        headers = {"X-Sandbox-Token": self.venue.told["admin_token"]}
        urllib.request.urlopen(urllib.request.Request(f"{self.venue.rest}/sandbox/keys", data=body, headers=headers), timeout=10)

    def sign_with(self, name):
        new = self.folder / "key.new"
        new.write_text(json.dumps({"id": name, "secret": SECRET}))
        new.chmod(0o600)
        new.rename(self.folder / "key.json")

    def trade_by_hand(self, **order):
        """An order of somebody else on the same account."""
        query = {"symbol": "BTCUSDT", **order, "timestamp": int(time.time() * 1000) + 500, "recvWindow": 10_000}
        text = urllib.parse.urlencode(query)
        signature = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
        url = f"{self.venue.rest}/api/v3/order?{text}&signature={signature}"
        request = urllib.request.Request(url, method="POST", headers={"X-MBX-APIKEY": "other"})
        return json.loads(urllib.request.urlopen(request, timeout=10).read())

    def start(self, *more):
        command = [BINARY, "live", "--json", "--instrument", "binance:BTC/USDT", "--no-save", *QUOTER, *LIMITS]
        command += ["--config", str(self.config), "--state-dir", str(self.folder / "state"), *more]
        err = open(self.folder / "err.txt", "a")
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=err)

    def stop_now(self):
        command = [BINARY, "stop", "--now", "--state-dir", str(self.folder / "state")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr

    def told(self, path=None):
        path = path or self.all
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def hears(self, topic, words, process, seconds=60):
        """Waits until a sink was told something of a topic."""
        until = time.time() + seconds
        while not any(m["topic"] == topic and words in m["text"] for m in self.told()):
            said = sorted({f"{m['topic']}: {m['text'][:100]}" for m in self.told()})
            assert time.time() < until, f"never told {topic} {words!r}; told: {said}\n{self.words()[-2000:]}"
            assert process.poll() is None, self.words()[-3000:]
            time.sleep(0.1)
        print(f"  {topic}: {words}", flush=True)

    def words(self):
        return (self.folder / "err.txt").read_text()


def main():
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        process = None
        try:
            process = desk.start()
            desk.hears("start", "live session began", process)
            desk.hears("disk", "the disk is low", process)
            desk.hears("fill", "filled ", process)
            desk.hears("guard", "guard warns position_notional_max", process, 90)
            # Another key signs from now on.
            desk.sign_with("other")
            desk.hears("key", "signs from now on", process)
            # Answers are lost, the clocks differ, the feed is silent.
            desk.venue.admin({"error_after": 0.5, "reset": 0.2, "skew_ms": 4000})
            desk.hears("unknown", "unknown ", process, 90)
            desk.hears("clock", "clock: the venue's is 4 s ahead", process, 150)
            desk.venue.admin({"stale": 1})
            desk.hears("stale", "feed is stale", process, 90)
            desk.venue.admin({})
            # Somebody else trades on the account with the same key, and leaves an order.
            desk.trade_by_hand(side="BUY", type="MARKET", quantity="0.01")
            desk.trade_by_hand(side="BUY", type="LIMIT", timeInForce="GTC", price="50000", quantity="0.01")
            desk.hears("difference", "reconciliation", process, 150)
            desk.hears("key", "an order that we did not send", process, 90)
            # It dies and goes on.
            process.kill()
            process.wait()
            (tape,) = (Path(folder) / "state" / "tapes").glob("*.tape")
            process = desk.start("--resume", str(tape))
            desk.hears("start", "goes on after it had ended", process)
            desk.hears("unknown", "an open order that is not ours", process)
            # The kill switch.
            desk.stop_now()
            process.wait(120)
            assert any(m["topic"] == "guard" and "tripped kill_switch" in m["text"] for m in desk.told()), desk.told()[-5:]
            told = desk.told()
            assert any(m["topic"] == "stop" for m in told), "the end is told"
            grave = desk.told(desk.errors)
            assert grave and all(m["level"] == "error" for m in grave), "errors have a channel of their own"
            assert {"disk", "difference", "unknown"} <= {m["topic"] for m in grave}, {m["topic"] for m in grave}
            ids = [m["id"] for m in told]
            twice = [m for m in told if ids.count(m["id"]) > 1]
            assert not twice, f"messages came twice: {twice}"
            assert SECRET not in desk.all.read_text(), "a secret is told"
            print("default reports: held")
        finally:
            if process and process.poll() is None:
                process.kill()
                process.wait()
            desk.venue.end()


if __name__ == "__main__":
    sys.exit(main())
