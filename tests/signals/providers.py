"""What people type to look at providers, against a local server that answers in their words, good days and bad.

Usage: providers.py PATH-OF-BELLWETHER ROOT-OF-THE-REPOSITORY
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

BINARY, ROOT = str(Path(sys.argv[1]).resolve()), Path(sys.argv[2]).resolve()
KEY = "tm-canary-0123456789"
TOKEN = {"TOKEN_ID": 3375, "TOKEN_NAME": "Bitcoin", "TOKEN_SYMBOL": "BTC"}
ROWS = {
    "tokens": {**TOKEN, "EXCHANGE_LIST": [{"exchange_id": "binance"}], "CATEGORY_LIST": [], "TM_LINK": "https://x"},
    "price": {**TOKEN, "CURRENT_PRICE": 96000.12},
    "daily-ohlcv": {**TOKEN, "TIMESTAMP": "2025-01-15 00:00:00", "OPEN": 1.0, "HIGH": 2.0, "LOW": 0.5, "CLOSE": 1.5, "VOLUME": 9.0},
    "hourly-ohlcv": {**TOKEN, "TIMESTAMP": "2025-01-15 13:00:00", "OPEN": 1.0, "HIGH": 2.0, "LOW": 0.5, "CLOSE": 1.5, "VOLUME": 9.0},
    "trading-signals": {**TOKEN, "DATE": "2020-01-15", "TRADING_SIGNAL": 1, "TOKEN_TREND": 1, "TM_TRADER_GRADE": 81.2, "TM_LINK": "https://x"},
    "hourly-trading-signals": {**TOKEN, "TIMESTAMP": "2020-01-15 13:00:00", "CLOSE": 1.5, "SIGNAL": "1", "POSITION": "1"},
    "tm-grade": {**TOKEN, "TM_GRADE": "88.10", "TM_GRADE_24h_PCT_CHANGE": "1.30", "TM_GRADE_SIGNAL": "Buy", "MOMENTUM": "Positive"},
    "trader-grades": {**TOKEN, "DATE": "2025-01-15", "TA_GRADE": 70.0, "QUANT_GRADE": None, "TM_TRADER_GRADE": 81.2},
    "investor-grades": {**TOKEN, "DATE": "2025-01-15", "TM_INVESTOR_GRADE": 74.5, "DEFI_USAGE_SCORE": None},
    "market-metrics": {"DATE": "2025-01-15", "TOTAL_CRYPTO_MCAP": 3.3e12, "TM_GRADE_PERC_HIGH_COINS": 42.5, "TM_GRADE_SIGNAL": 1},
    "indices": {"ID": 1, "NAME": "Index", "TICKER": "IDX", "PRICE": 100.0, "24H": 1.0, "TOP_GAINERS_ICONS": {"a": "b"}},
    "resistance-support": {**TOKEN, "DATE": "2025-01-15", "HISTORICAL_RESISTANCE_SUPPORT_LEVELS": [{"date": "2025-01-01", "level": 90000}]},
    "sentiment": {"DATETIME": "2025-01-15 13:00:00", "MARKET_SENTIMENT_GRADE": 60, "NEWS_SUMMARY": "\x1b[31mhostile\x07 words"},
    "quantmetrics": {**TOKEN, "DATE": "2025-01-15", "VOLATILITY": 0.5, "SHARPE": 1.2, "MAX_DRAWDOWN": -0.7},
    "ai-reports": {**TOKEN, "INVESTMENT_ANALYSIS": "# Good", "DEEP_DIVE": "# Deep", "CODE_REVIEW": "# Code"},
}
LOOKS = {
    "tokens": "tokens", "price": "price", "ohlcv": "daily-ohlcv", "ohlcv --hourly": "hourly-ohlcv", "signals": "trading-signals",
    "signals --hourly": "hourly-trading-signals", "grades": "tm-grade", "grades --of trader": "trader-grades",
    "grades --of investor": "investor-grades", "metrics": "market-metrics", "indices": "indices", "levels": "resistance-support",
    "sentiment": "sentiment", "quantmetrics": "quantmetrics",
}


class Provider:
    """Token Metrics under /v2 and /v3, an explorer of Aleo under /v1."""

    def __init__(self):
        self.status, self.asked, provider = None, [], self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                status, body = provider.answer(urlparse(self.path), self.headers)
                data = body.encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, url, headers):
        self.asked.append(url.path + "?" + url.query)
        if url.path.startswith("/v1/"):
            values = {"account/aleo1me": '"12500000u64"', "bonded/aleo1me": "null"}
            found = next((v for k, v in values.items() if url.path.endswith(k)), None)
            return (200, found) if found else (500, "Something went wrong: unknown")
        if headers.get("x-api-key") != KEY:
            return 401, '{"success":false,"message":"Invalid API Key"}'
        if self.status:
            return self.status
        version, endpoint = url.path.strip("/").split("/", 1)
        row = ROWS[endpoint]
        if version == "v3":
            row = {name.lower(): value for name, value in row.items()}
        rows = [row] if parse_qs(url.query).get("page", ["1"]) == ["1"] else []
        return 200, json.dumps({"success": True, "message": "Data fetched successfully", "length": len(rows), "data": rows})


def main():
    provider = Provider()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        env = {k: v for k, v in os.environ.items() if not k.startswith("BELLWETHER")}
        key = folder / "tm.json"
        config = folder / "settings.toml"

        def write(secret=KEY, version="v2", per_day=100):
            key.write_text(json.dumps({"id": "plan", "secret": secret}))
            key.chmod(0o600)
            config.write_text(
                f'[data]\ndir = "{folder / "data"}"\n[[key]]\naccount = "tokenmetrics/tm"\nscope = "read"\nsource = "file:{key}"\n'
                f'[source.tm]\nkind = "tokenmetrics"\nurl = "{provider.url}"\nversion = "{version}"\ncalls_per_day_max = {per_day}\n'
                f'instruments = {{ "3375" = "binance:BTC/USDT" }}\n[source.chain]\nkind = "aleo"\nurl = "{provider.url}/v1"\n'
            )

        def run(words, code=0):
            command = [BINARY, *words.split(), "--config", str(config), "--state-dir", str(folder / "state")]
            done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)
            assert done.returncode == code, f"{words}: exit code {done.returncode}, not {code}: {done.stdout}{done.stderr}"
            assert KEY not in done.stdout + done.stderr and "panicked" not in done.stderr, done.stderr
            return done.stdout if code == 0 else done.stdout + done.stderr

        def calls():
            return json.loads(run("signals tokenmetrics budget --json"))["day_calls"]

        (folder / "data").mkdir()
        for version in ("v2", "v3"):
            write(version=version)
            for words, endpoint in LOOKS.items():
                document = json.loads(run(f"signals tokenmetrics {words} --json"))
                row = {name.lower(): value for name, value in ROWS[endpoint].items()}
                assert document["rows"] == [row] and document["endpoint"] == endpoint, (words, document)
                assert provider.asked[-1].startswith(f"/{version}/{endpoint}?"), provider.asked[-1]
        write()
        table = run("signals tokenmetrics sentiment")
        assert "hostile words" in table and "\x1b" not in table and "\x07" not in table, table
        before = calls()
        assert before == 2 * len(LOOKS) + 1, before
        assert "is accepted" in run("signals tokenmetrics check")
        assert f"{before + 1} of 100 calls" in run("signals tokenmetrics budget") and calls() == before + 1
        assert '"fit":true' in run("keys check --json").replace(" ", "").replace("\n", "")
        print("looks in both versions: held")

        report = run("signals tokenmetrics reports --token 3375")
        stored = json.loads(Path(report.split(": ", 1)[1].strip()).read_text())
        assert stored["fields"]["deep_dive"] == "# Deep", stored
        assert "nothing new" in run("signals tokenmetrics reports --token 3375")
        print("reports: held")

        said = run("signals tokenmetrics import --name tm --from 2020-01-01 --to 2020-01-20")
        assert "1 rows" in said and "new" in said, said
        lines = [json.loads(line) for line in run("signals show tm").splitlines()]
        (signal,) = [line for line in lines if "direction" in line]
        assert signal["direction"] == "long" and signal["received"].startswith("2020-01-16T00:00:00"), signal
        backtest = f"backtest --data {ROOT / 'backtest-data'} --strategy follow --json --no-save --from 2020-01-10 --to 2020-01-20"
        catalog = folder / "with-signals"
        subprocess.run(["cp", "-r", str(ROOT / "backtest-data"), str(catalog)], check=True)
        subprocess.run(["cp", "-r", str(folder / "data" / "signals"), str(catalog / "signals")], check=True)
        backtest = backtest.replace(str(ROOT / "backtest-data"), str(catalog)) + " --set signals.replay=tm --interval 1h"
        document = json.loads(run(backtest))
        assert len(document["orders"]) == 1, document["orders"]
        print("history: held")

        for status, code, word in [
            ((401, "{}"), 4, "the key is not accepted"), ((402, '{"accepts":[]}'), 4, "never done by itself"), ((403, "{}"), 4, "not in the plan"),
            ((429, "slow down"), 6, "429"), ((500, "oops"), 6, "500"), ((200, '{"success":false,"message":"out of credits"}'), 6, "out of credits"),
            ((200, "<html>"), 6, "not understood"), ((200, '{"success":true,"rows":[]}'), 6, "not understood"),
        ]:
            provider.status = status
            said = run("signals tokenmetrics signals", code)
            assert word in said, (status, said)
        provider.status = (200, json.dumps({"success": True, "data": [{**TOKEN, "DATE": "2020-01-15", "VERDICT": 1}]}))
        assert "neither 1, 0 nor -1" in run("signals tokenmetrics import --name x --from 2020-01-01 --to 2020-01-20", 1)
        provider.status = None
        write(secret="wrong")
        assert "the key is not accepted" in run("signals tokenmetrics check", 4)
        write(per_day=calls() + 1)
        run("signals tokenmetrics price")
        asked = len(provider.asked)
        assert "calls are used up" in run("signals tokenmetrics price", 4) and len(provider.asked) == asked
        print("bad days: held")

        campaign = folder / "campaign.toml"
        campaign.write_text(
            'name = "quest"\nofficial = ["quest.example.org"]\nlink = "https://quest.example.org/"\n[addresses]\nme = "aleo1me"\n'
            '[[step]]\nid = "hold"\ntitle = "Hold"\ncheck = { kind = "balance", credits_min = "12.5" }\n'
            '[[step]]\nid = "stake"\ntitle = "Stake some"\nlink = "https://quest.example.org@evil.com/"\ncheck = { kind = "staked", credits_min = "1" }\n'
            '[[step]]\nid = "vote"\ntitle = "Vote"\ncheck = { kind = "mapping", program = "dao.aleo", mapping = "votes" }\n'
        )
        document = json.loads(run(f"signals aleo campaign {campaign} --json"))
        marks = {row["step"]: row["mark"] for row in document["rows"]}
        assert marks == {"hold": "fulfilled", "stake": "missing", "vote": "unknown"}, document
        words = run(f"signals aleo campaign {campaign}")
        assert "missing for me: Stake some" in words and "evil.com" not in words.replace("its domain evil.com", ""), words
        campaign.write_text(campaign.read_text().replace('me = "aleo1me"', 'me = "APrivateKey1zkp8"'))
        assert "never a key" in run(f"signals aleo campaign {campaign}", 3)
        example = run(f"signals aleo campaign {ROOT / 'config' / 'signals' / 'campaign.toml'}")
        assert "example quest" in example and "attested" in example, example
        print("campaign: held")


if __name__ == "__main__":
    began = time.time()
    main()
    print(f"providers: held, {time.time() - began:.0f} s")
