"""The sandbox in its own process, and what it says of itself: asked with its own key, not through the program."""

import hashlib
import hmac
import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from decimal import Decimal

SECRET = "a-secret-of-this-test-only"
SYMBOL = "BTCUSDT"
BEGINS_WITH = {"USDT": Decimal(1_000_000), "BTC": Decimal(10)}


class Sandbox:
    """An exchange with an account for each of the names."""

    def __init__(self, binary, catalog, names, faults, seed, lasts, more=("--weight-limit", "24000")):
        command = [binary, "sandbox", "--loop", "--json", "--data", catalog, "--history", "30m", "--pace", "3", "--for", f"{lasts}s"]
        # Four sessions stand for four machines, and share one address.
        command += ["--instrument", "binance:BTC/USDT", "--seed", str(seed), *more]
        for name in names:
            command += ["--key", f"{name}@{name}:{SECRET}:read,trade"]
        for code, amount in BEGINS_WITH.items():
            command += ["--balance", f"{code}={amount}"]
        if faults:
            command += ["--faults", faults]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        self.told = json.loads(line)
        self.rest = self.told["rest_url"]

    def settings(self, on_stop):
        port = self.rest.rsplit(":", 1)[1]
        return (
            f'[session]\nfeed = "venue"\non_stop = "{on_stop}"\nstale_ms = 3000\n'
            f'[venue.binance]\nrest_url = "http://127.0.0.1:{port}"\nmarket_url = "ws://127.0.0.1:{port}"\n'
            f'trade_url = "ws://127.0.0.1:{port}/ws-api/v3"\n'
        )

    def admin(self, faults):
        request = urllib.request.Request(
            f"{self.rest}/sandbox/faults",
            data=json.dumps(faults).encode(),
            headers={"X-Sandbox-Token": self.told["admin_token"], "Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).read()

    def ask(self, name, path, **query):
        """A signed question of the account."""
        query = {**query, "timestamp": int(time.time() * 1000), "recvWindow": 10_000}
        text = urllib.parse.urlencode(query)
        signature = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
        url = f"{self.rest}{path}?{text}&signature={signature}"
        request = urllib.request.Request(url, headers={"X-MBX-APIKEY": name})
        for _ in range(60):
            try:
                return json.loads(urllib.request.urlopen(request, timeout=120).read())
            except urllib.error.HTTPError as error:
                # Its weight of this minute may be spent: the sessions came from the same address.
                if error.code not in (429, 418):
                    raise AssertionError(f"{path}: {error.code} {error.read()}") from error
                time.sleep(float(error.headers.get("Retry-After") or 1))
                return self.ask(name, path, **{k: v for k, v in query.items() if k not in ("timestamp", "recvWindow")})
        raise AssertionError(path)

    def pages(self, name, path, key, first):
        rows, since = [], 0
        while True:
            page = self.ask(name, path, symbol=SYMBOL, limit=1000, **{first: since})
            rows += page
            if len(page) < 1000:
                return rows
            since = page[-1][key] + 1

    def orders(self, name):
        return self.pages(name, "/api/v3/allOrders", "orderId", "orderId")

    def fills(self, name):
        return self.pages(name, "/api/v3/myTrades", "id", "fromId")

    def balances(self, name):
        rows = self.ask(name, "/api/v3/account")["balances"]
        return {r["asset"]: Decimal(r["free"]) + Decimal(r["locked"]) for r in rows}

    def account(self, name):
        """Orders, fills and balances as of one moment: the market goes on while they are asked for."""
        while True:
            before = self.fills(name)
            orders, balances = self.orders(name), self.balances(name)
            if self.fills(name) == before:
                return orders, before, balances

    def end(self):
        self.process.terminate()
        _, stderr = self.process.communicate(timeout=20)
        assert "panicked" not in stderr, stderr
