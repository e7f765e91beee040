"""The acceptance of the store and the backtest over real data (called by `run`).

For each series: it imports whole, a second import changes nothing, `data check` finds the oddities that the data's
README lists with their counts, strategies run on it and trade, the numbers that can be known beforehand hold, and
`verify last` repeats the run to the same orders. Signals with a plan in them are told from chance.
"""

import csv
import gzip
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BINARY, SHARED = sys.argv[1], Path(sys.argv[2])

# name, file (below the folder), arguments of `data import`, rows stored, what `data check` finds: kind -> count
SERIES = [
    ("BTC hourly", "shippable/binance_spot_BTCUSDT_1h_2017-08_2024-01.csv.gz",
     "--instrument binance:BTC/USDT --interval 1h", ("bars-1h", 55_765), {"gaps": 28, "off_grid": 43}),
    ("SOL hourly", "shippable/binance_spot_SOLUSDT_1h_2022-09_2025-08.csv.gz",
     "--instrument binance:SOL/USDT --interval 1h", ("bars-1h", 26_303), {"gaps": 1}),
    ("SOL minutes with the outage", "shippable/binance_spot_SOLUSDT_1m_2023-03-20_28.csv.gz",
     "--instrument binance:SOL/USDT --interval 1m", ("bars-1m", 12_880), {"gaps": 1, "flat_zero_volume": 72}),
    ("BTC five minutes with the outage", "shippable/binance_spot_BTCUSDT_5m_2023-03-20_28.csv.gz",
     "--instrument binance:BTC/USDT --interval 5m", ("bars-5m", 2_576), {"gaps": 1, "flat_zero_volume": 14}),
    ("bitfinex minutes", "acceptance/bitfinex_BTCUSD_1m_2018.csv.gz",
     "--instrument bitfinex:BTC/USD --interval 1m", ("bars-1m", 520_499), {"gaps": 3_992}),
    ("perpetual five minutes", "acceptance/binance_um_BTCUSDT_5m_2023-01_2024-05.csv.gz",
     "--instrument binance:BTC/USDT:USDT --interval 5m", ("bars-5m", 143_900), {"flat_zero_volume": 3}),
    ("funding", "acceptance/binance_um_BTCUSDT_funding_8h_2020_2025.csv.gz",
     "--instrument binance:BTC/USDT:USDT --kind funding", ("funding", 6_441), {}),
    ("BitMEX trades", "acceptance/bitmex_XBTUSD_trades_2018-01.csv.gz",
     "--instrument bitmex:XBT/USD:XBT --kind trades", ("trades", 1_000_000), {"equal_times": 669_230}),
    ("L2 changes and snapshot", "acceptance/l2_binance_um_BTCUSDT_2024-08-08_depth.csv.gz "
     "acceptance/l2_binance_um_BTCUSDT_2024-08-08_snapshot.csv.gz",
     "--instrument binance:BTC/USDT:USDT --kind depth --data l2", ("depth", 445_521), {"receiver_behind": 6_552}),
    ("L2 trades", "acceptance/l2_binance_um_BTCUSDT_2024-08-08_trades.csv.gz",
     "--instrument binance:BTC/USDT:USDT --kind trades --data l2", ("trades", 21_313), {"receiver_behind": 21_313}),
    ("L2 book ticker", "acceptance/l2_binance_um_BTCUSDT_2024-08-08_bookticker.csv.gz",
     "--instrument binance:BTC/USDT:USDT --kind quotes --data l2", ("quotes", 66_089), {"receiver_behind": 66_089}),
    ("crossed FX quotes", "acceptance/fxcm_GBPUSD_1m_bidask_2012-02.csv.gz",
     "--instrument fxcm:GBP/USD --kind quotes", ("quotes", 30_117), {"crossed": 347}),
    ("FX hours", "acceptance/fx_EURUSD_1h_ask_2017.csv.gz",
     "--instrument fx:EUR/USD --interval 1h", ("bars-1h", 6_225), {"gaps": 52}),
    ("future's trades", "acceptance/cme_ES_trades_2013-09-01_03.csv.gz",
     "--instrument cme:ES/USD --kind trades", ("trades", 500_000), {"equal_times": 415_432}),
    ("stock minutes", "acceptance/us_AAPL_1m_2023-01.csv.gz",
     "--instrument us:AAPL/USD --interval 1m", ("bars-1m", 7_410), {}),
    ("stock minutes", "acceptance/us_MSFT_1m_2023-01.csv.gz",
     "--instrument us:MSFT/USD --interval 1m", ("bars-1m", 7_410), {}),
    ("stock days", "acceptance/lean_us_daily_ohlcv_1998_2021_unadjusted.csv.gz",
     "--instrument us:AAPL/USD --interval 1d", ("bars-1d", None), {}),
    ("stock closes", "acceptance/us_20stocks_daily_close_1990_2022.csv.gz",
     "--instrument us:AAPL/USD --interval 1d --columns ts=date,close=AAPL --data closes", ("bars-1d", 8_313), {}),
]

# name, arguments of `backtest`, fewest closed trades
RUNS = [
    ("EMA cross, BTC hourly 2017-2024", "--strategy ema_cross --instrument binance:BTC/USDT --interval 1h "
     "--set strategy.fast=12 --set strategy.slow=50 --set strategy.notional_pct=90", 1_000),
    ("EMA cross, four hours from hourly", "--strategy ema_cross --instrument binance:BTC/USDT --interval 4h "
     "--set strategy.mode=long-only", 100),
    ("Donchian with trailing stop", "--strategy donchian_breakout --instrument binance:SOL/USDT --interval 1h "
     "--fill-profile ohlc-path@1", 20),
    ("Bollinger through the outage", "--strategy bollinger_reversion --instrument binance:SOL/USDT --interval 1m", 20),
    ("MACD, bitfinex minutes", "--strategy macd --instrument bitfinex:BTC/USD --interval 1m", 1_000),
    ("buy and hold with funding", "--strategy buy_and_hold --instrument binance:BTC/USDT:USDT --interval 5m "
     "--set strategy.qty=1 --cash 100000USDT --fee-bps 0 --close-at-end", 1),
    ("EMA cross with funding", "--strategy ema_cross --instrument binance:BTC/USDT:USDT --interval 5m "
     "--set strategy.fast=50 --set strategy.slow=200 --set strategy.qty=0.5 --cash 100000USDT", 500),
    ("EMA cross, inverse, a million trades", "--strategy ema_cross --instrument bitmex:XBT/USD:XBT --kind trades "
     "--set strategy.fast=1000 --set strategy.slow=3000 --set strategy.qty=100 --cash 1XBT", 100),
    ("quoter in the book", "--strategy quoter --instrument binance:BTC/USDT:USDT --kind depth --kind trades "
     "--set strategy.qty=0.01 --set strategy.half_spread_bps=1 --set strategy.requote_bps=0.3 --maker-bps 0 "
     "--taker-bps 5 --latency-ms 20 --cash 100000USDT --data l2", 20),
    ("EMA cross in the book", "--strategy ema_cross --instrument binance:BTC/USDT:USDT --kind depth --kind trades "
     "--set strategy.fast=100 --set strategy.slow=500 --set strategy.qty=0.01 --cash 100000USDT --data l2", 10),
    ("EMA cross, quotes of the book ticker", "--strategy ema_cross --instrument binance:BTC/USDT:USDT --kind quotes "
     "--set strategy.fast=500 --set strategy.slow=2000 --set strategy.qty=0.01 --cash 100000USDT --data l2", 5),
    ("EMA cross, crossed FX quotes", "--strategy ema_cross --instrument fxcm:GBP/USD --kind quotes "
     "--set strategy.qty=1000 --cash 100000USD --fee-bps 0", 100),
    ("EMA cross, FX hours", "--strategy ema_cross --instrument fx:EUR/USD --interval 1h "
     "--set strategy.qty=1000 --cash 100000USD --fee-bps 0", 50),
    ("EMA cross, a future's trades", "--strategy ema_cross --instrument cme:ES/USD --kind trades "
     "--set strategy.fast=1000 --set strategy.slow=5000 --set strategy.qty=1 --cash 100000USD", 10),
    ("rotation of two stocks", "--strategy momentum_rotation --instrument us:AAPL/USD --instrument us:MSFT/USD "
     "--interval 1m --cash 10000USD", 5),
    ("RSI on stock days", "--strategy rsi_reversion --instrument us:AAPL/USD --interval 1d --cash 10000USD", 5),
]

failures = []


def bellwether(arguments, codes=(0,)):
    """Runs the command in the scratch folder; returns its output, or notes a failure and returns None."""
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, check=False)
    if done.returncode not in codes:
        failed(f"bellwether {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr.strip()}")
        return None
    return done.stdout


def failed(what):
    """Notes a failure, and goes on."""
    failures.append(what)
    print(f"  FAILED {what}", flush=True)


def expect(holds, what):
    """Notes a failure unless it holds."""
    if not holds:
        failed(what)


def words(text):
    """Arguments from one line; the catalog is `main` unless they name one."""
    arguments = text.split()
    return arguments if "--data" in arguments else [*arguments, "--data", "main"]


def import_series(name, files, text, rows):
    """Imports one series twice: the second time changes nothing."""
    began = time.monotonic()
    command = ["data", "import", "--format", "csv", *words(text), *(str(SHARED / f) for f in files.split())]
    if bellwether(command) is None:
        return
    seconds = time.monotonic() - began
    again = bellwether(command)
    expect(again is None or "unchanged" in again, f"{name}: the second import is not 'unchanged': {again}")
    print(f"  {name}: {rows if rows else 'its'} rows, {seconds:.1f} s", flush=True)


def check_series():
    """Holds `data check` of every catalog against what is known of the series."""
    found = {}
    for catalog in ("main", "l2", "closes"):
        answer = bellwether(["data", "check", "--json", "--data", catalog], codes=(0, 5))
        for series in json.loads(answer)["series"] if answer else []:
            found[catalog, series["symbol"], series["kind"]] = series
    for name, _, text, (kind, rows), known in SERIES:
        arguments = words(text)
        catalog = arguments[arguments.index("--data") + 1]
        series = found.get((catalog, arguments[arguments.index("--instrument") + 1], kind))
        if series is None:
            failed(f"{name}: not in {catalog}")
            continue
        expect(rows in (None, series["rows"]), f"{name}: {series['rows']} rows, not {rows}")
        counts = {finding["kind"]: finding["count"] for finding in series["findings"]}
        for oddity, count in known.items():
            expect(counts.get(oddity) == count, f"{name}: {counts.get(oddity)} {oddity}, not {count}")
        if "receiver_behind" in known:
            expect("by 1.26" in json.dumps(series["findings"]), f"{name}: the clock's 1.27 s are not told")
            expect("crossed" not in counts, f"{name}: a book that is never crossed is told to be")
        for oddity in ("sequence", "snapshot_sync", "ohlc", "duplicates", "disorder", "row_hash"):
            expect(oddity not in counts, f"{name}: {oddity} found in sound data")
        named = ", ".join(f"{count} {oddity}" for oddity, count in counts.items())
        print(f"  {name}: {named or 'nothing odd'}", flush=True)
        if name == "bitfinex minutes":
            detail = json.dumps(series["findings"])
            expect("5101" in detail, f"{name}: the 5,101 missing minutes are not named: {detail}")


def backtest(name, text, trades_min):
    """Runs a backtest, looks at what must hold of any, and repeats it."""
    answer = bellwether(["backtest", "--json", *words(text)])
    if answer is None:
        return
    document = json.loads(answer)
    run, summary, closed = document["run"], document["summary"], len(document["trades"])
    expect(closed >= trades_min, f"{name}: {closed} trades, fewer than {trades_min}")
    expect(math.isfinite(summary["end_equity"]), f"{name}: end equity {summary['end_equity']}")
    expect(summary["max_drawdown_pct"] <= 100.0, f"{name}: drawdown {summary['max_drawdown_pct']} %")
    if not document["open_positions"]:
        # Flat: what is left is what was there and what was earned, to the digits of a float.
        earned = sum(float(trade["pnl"]) for trade in document["trades"]) + summary["funding"]
        left = summary["end_equity"] - summary["start_equity"]
        expect(abs(earned - left) < 1e-6 * max(1.0, summary["start_equity"]), f"{name}: earned {earned}, left {left}")
    for trade in document["trades"]:
        expect(int(trade["entry_ts"]) <= int(trade["exit_ts"]), f"{name}: a trade ends before it begins: {trade}")
    known(name, document)
    repeated = bellwether(["verify", "last", "--json"])
    hash_of_run = run["order_hash"]
    expect(repeated is None or hash_of_run in repeated, f"{name}: verify does not name {hash_of_run}")
    print(f"  {name}: {run['events']:,} events, {closed:,} trades, {summary['return_pct']:.2f} %, "
          f"funding {summary['funding']:.2f}, {run['wall_seconds']:.2f} s; {run['fill_profile']}", flush=True)


def known(name, document):
    """Numbers that are known without the engine."""
    first, last = int(document["run"]["first_ts"]), int(document["run"]["last_ts"])
    if name == "buy and hold with funding":
        expect(first >= 1_672_531_200_000_000_000, f"{name}: begins before its bars do, at {first}")
        paid = -document["summary"]["funding"]
        owed = funding_owed(int(document["fills"][0]["ts"]), last)
        # Settled on the last price here, on the five minutes' close there.
        expect(abs(paid - owed) <= 0.01 * abs(owed), f"{name}: paid {paid} of funding, owed {owed}")
    if name == "EMA cross, BTC hourly 2017-2024":
        expect(document["run"]["events"] == 55_765, f"{name}: {document['run']['events']} bars")
    if "in the book" in name:
        expect(last < 1_723_161_600_000_000_000, f"{name}: ends after its data does, at {last}")
        refusals = json.dumps(document["signals"])
        expect("book_gap" not in refusals, f"{name}: the book broke: {refusals}")


# instrument, interval, file, bars between two signals
SIGNALS = [
    ("binance:BTC/USDT", "1h", "shippable/binance_spot_BTCUSDT_1h_2017-08_2024-01.csv.gz", 100),
    ("binance:SOL/USDT", "1h", "shippable/binance_spot_SOLUSDT_1h_2022-09_2025-08.csv.gz", 48),
]
SEEDS = 20


def signals(instrument, interval, file, every):
    """Over twenty seeds a planted signal is found each time, and at most one shuffled one is called real."""
    began = time.monotonic()
    with gzip.open(SHARED / file, "rt") as rows:
        opens = [(int(row["ts_ms"]), float(row["open"])) for row in csv.DictReader(rows)]
    found = mistaken = 0
    for seed in range(SEEDS):
        chance = random.Random(seed)
        # Right about the next eight bars in 65 of 100 cases.
        wishes = []
        for at in range(chance.randrange(every), len(opens) - 8, every):
            rises = opens[at + 8][1] > opens[at][1]
            wishes.append((opens[at][0], rises == (chance.random() < 0.65)))
        directions = [rises for _, rises in wishes]
        chance.shuffle(directions)
        shuffled = [(at, rises) for (at, _), rises in zip(wishes, directions)]
        found += verdict(instrument, interval, wishes) == "real"
        mistaken += verdict(instrument, interval, shuffled) == "real"
    name = f"{instrument}, {len(wishes)} signals"
    expect(found == SEEDS, f"{name}: a planted signal is found {found} times of {SEEDS}")
    expect(mistaken * 20 <= SEEDS, f"{name}: a shuffled one is called real {mistaken} times of {SEEDS}")
    print(f"  {name}: {found} of {SEEDS} planted found, {mistaken} shuffled called real, {time.monotonic() - began:.0f} s", flush=True)


def verdict(instrument, interval, wishes):
    """What `signals evaluate` says of a series."""
    with open("wishes.jsonl", "w") as out:
        for at, rises in wishes:
            direction = "long" if rises else "short"
            out.write(json.dumps({"instrument": instrument, "direction": direction, "made": at * 10**6, "received": at * 10**6}) + "\n")
    command = ["signals", "evaluate", "wishes.jsonl", "--instrument", instrument, "--interval", interval, "--data", "main", "--json"]
    document = bellwether(command)
    return document and json.loads(document)["verdict"]


def funding_owed(begin, end):
    """What one coin held from `begin` to `end` pays, from the files alone."""
    import csv
    import gzip
    closes = {}
    with gzip.open(SHARED / "acceptance/binance_um_BTCUSDT_5m_2023-01_2024-05.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            closes[int(row["ts_ms"]) + 300_000] = float(row["close"])
    owed = 0.0
    with gzip.open(SHARED / "acceptance/binance_um_BTCUSDT_funding_8h_2020_2025.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            ts = int(row["ts_ms"])
            if begin < ts * 1_000_000 <= end:
                owed += float(row["funding_rate"]) * closes.get(ts, 0.0)
    return owed


def main():
    """Runs all of it in a scratch folder."""
    global BINARY
    BINARY = str(Path(BINARY).resolve())
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        os.environ["XDG_STATE_HOME"] = str(Path(scratch) / "state")
        for variable in [name for name in os.environ if name.startswith("BELLWETHER_")]:
            del os.environ[variable]
        print("import", flush=True)
        for name, files, text, (_, rows), _ in SERIES:
            import_series(name, files, text, rows)
        print("check", flush=True)
        check_series()
        print("run and verify", flush=True)
        for name, text, trades_min in RUNS:
            backtest(name, text, trades_min)
        print("signals", flush=True)
        for row in SIGNALS:
            signals(*row)
        os.chdir("/")
    if failures:
        sys.exit(f"{len(failures)} failures")
    print(f"all accepted in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
