"""Holds the EMA cross of `bellwether backtest` against backtesting.py 0.6.6, trade by trade.

Five parameter pairs x three bar files x fees of 0 and 10 bp x `next-open@1` and `close@1` x both modes of the
strategy: side, size, bars of entry and exit, and prices must be equal, and none may be left unmatched on either side.

backtesting.py is AGPL: it is run here from a throw-away environment (see `run`), never linked and never copied. The
strategy below is written from the definition of the crossing alone, and its averages come from a loop of its own.

What this does not compare: metrics (the same name is rarely the same number), positions open at the end (backtesting.py
lists closed trades only; the end equity holds them instead), and notional sizes (backtesting.py buys whole units).
"""

import argparse
import csv
import gzip
import io
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import pandas as pd
from backtesting import Backtest, Strategy

PAIRS = [(5, 20), (9, 21), (12, 50), (20, 100), (50, 200)]
FEES_BPS = [0, 10]
PROFILES = ["next-open@1", "close@1"]
MODES = ["long-short", "long-only"]
CASH = 1_000_000_000  # so much that no order is ever unaffordable

# file below ../shared/market-data, symbol, interval
SHARED = [
    ("shippable/binance_spot_BTCUSDT_1h_2017-08_2024-01.csv.gz", "binance:BTC/USDT", "1h"),
    ("acceptance/binance_um_BTCUSDT_5m_2023-01_2024-05.csv.gz", "binance:BTC/USDT:USDT", "5m"),
    ("acceptance/bitfinex_BTCUSD_1m_2018.csv.gz", "bitfinex:BTC/USD", "1m"),
]


class Different(Exception):
    """A case whose results differ; the text says where."""


def ema(prices, span):
    """The exponential average that begins at the first price."""
    weight = 2.0 / (span + 1.0)
    average, out = prices[0], [prices[0]]
    for price in prices[1:]:
        average = weight * price + (1.0 - weight) * average
        out.append(average)
    return out


def crossings(prices, fast, slow):
    """+1 where fast - slow goes from <= 0 to > 0, -1 where it goes from >= 0 to < 0, else 0."""
    out = [0]
    spreads = [a - b for a, b in zip(ema(prices, fast), ema(prices, slow))]
    for before, now in zip(spreads, spreads[1:]):
        out.append(1 if before <= 0.0 < now else -1 if before >= 0.0 > now else 0)
    return out


class Cross(Strategy):
    """Follows the crossings it is given."""

    marks = ()
    short = True

    def init(self):
        """Needs nothing: the crossings are computed before."""

    def next(self):
        mark = self.marks[len(self.data) - 1]
        if mark > 0:
            self.buy(size=1)
        elif mark < 0 and self.short:
            self.sell(size=1)
        elif mark < 0:
            self.position.close()


def read_bars(path):
    """Reads bars of either naming; the index is the open time in milliseconds as a naive UTC stamp."""
    opened = gzip.open(path, "rb") if str(path).endswith(".gz") else open(path, "rb")
    with io.TextIOWrapper(opened) as text:
        reader = csv.DictReader(text)
        unit = next(u for u in ("ms", "us", "ns") if f"ts_{u}" in reader.fieldnames)
        scale = {"ms": 1_000_000, "us": 1_000, "ns": 1}[unit]
        rows = [
            [int(row[f"ts_{unit}"]) * scale] + [float(row[k]) for k in ("open", "high", "low", "close")]
            for row in reader
        ]
    frame = pd.DataFrame(rows, columns=["ts", "Open", "High", "Low", "Close"]).sort_values("ts", kind="stable")
    frame.index = pd.to_datetime(frame.pop("ts"), unit="ns")
    return frame


def theirs(case, frame):
    """The closed trades and the end equity by backtesting.py, and whether the last bar is a crossing."""
    marks = crossings(frame["Close"].tolist(), *case["pair"])
    strategy = type("Case", (Cross,), {"marks": marks, "short": case["mode"] == "long-short"})
    test = Backtest(
        frame,
        strategy,
        cash=CASH,
        commission=case["fee_bps"] / 10_000,
        trade_on_close=case["profile"] == "close@1",
        exclusive_orders=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stats = test.run()
    trades = [
        {
            "side": "long" if row.Size > 0 else "short",
            "qty": float(abs(row.Size)),
            "entry_bar": row.EntryTime.value,
            "exit_bar": row.ExitTime.value,
            "entry_price": float(row.EntryPrice),
            "exit_price": float(row.ExitPrice),
        }
        for row in stats["_trades"].sort_values(["EntryTime", "ExitTime"]).itertuples()
    ]
    return trades, float(stats["_equity_curve"]["Equity"].iloc[-1]), marks[-1] != 0


def ours(case, setup):
    """The closed trades, the end equity and the count of fills by `bellwether backtest --json`."""
    fast, slow = case["pair"]
    command = [
        setup["bellwether"], "backtest", "--json", "--no-save", "--data", setup["data"],
        "--strategy", "ema_cross", "--instrument", case["symbol"], "--interval", case["interval"],
        "--set", f"strategy.fast={fast}", "--set", f"strategy.slow={slow}", "--set", "strategy.qty=1",
        "--set", f"strategy.mode={case['mode']}", "--cash", str(CASH), "--account", "margin",
        "--fee-bps", str(case["fee_bps"]), "--fill-profile", case["profile"],
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Different(f"{' '.join(command)}\n  exit code {done.returncode}: {done.stderr.strip()}")
    document = json.loads(done.stdout)
    trades = [
        {
            "side": trade["side"],
            "qty": float(trade["qty"]),
            "entry_bar": int(trade["entry_bar_ts"]),
            "exit_bar": int(trade["exit_bar_ts"]),
            "entry_price": float(trade["entry_price"]),
            "exit_price": float(trade["exit_price"]),
        }
        for trade in document["trades"]
    ]
    trades.sort(key=lambda trade: (trade["entry_bar"], trade["exit_bar"]))
    return trades, document["summary"]["end_equity"], len(document["fills"])


def near(a, b, relative=1e-9):
    """Whether two prices are the same number read by two programs."""
    return abs(a - b) <= relative * max(abs(a), abs(b))


def same(a, b):
    """Whether two trades are equal."""
    exact = all(a[key] == b[key] for key in ("side", "qty", "entry_bar", "exit_bar"))
    return exact and near(a["entry_price"], b["entry_price"]) and near(a["exit_price"], b["exit_price"])


def compare(case):
    """Runs a case on both; returns its row of the table or what differs."""
    setup = compare.setup
    frame = compare.frames[case["symbol"], case["interval"]]
    try:
        mine, my_equity, fills = ours(case, setup)
        its, its_equity, last_crosses = theirs(case, frame)
        note = ""
        if last_crosses and case["profile"] == "close@1":
            # An order made on the very last bar: backtesting.py has no later bar in which to process it, and leaves
            # the trade open; close@1 fills it at that close.
            last = frame.index[-1].value
            mine = [trade for trade in mine if trade["exit_bar"] != last]
            note = "the last bar crosses"
        for number, (a, b) in enumerate(zip(mine, its)):
            if not same(a, b):
                raise Different(f"trade {number}:\n  bellwether     {a}\n  backtesting.py {b}")
        if len(mine) != len(its):
            rest = (mine[len(its):] or its[len(mine):])[0]
            raise Different(f"{len(mine)} trades against {len(its)}; the first unmatched: {rest}")
        # Fees are rounded up per fill at the eighth digit here, and are binary floats of the size of the cash there.
        slack = fills * 2e-7 + 1e-3
        if not note and abs(my_equity - its_equity) > slack:
            raise Different(f"end equity {my_equity} against {its_equity}, more than {slack:g} apart")
        return case, len(mine), abs(my_equity - its_equity), note, None
    except Different as different:
        return case, 0, 0.0, "", str(different)


def bellwether(setup, *arguments):
    """Runs the command; ends the program if it fails."""
    done = subprocess.run([setup["bellwether"], *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"bellwether {' '.join(arguments)}\nexit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def shared_series(setup, shared, scratch):
    """Imports the three files of the acceptance set; Python reads the originals, not our export."""
    setup["data"] = str(scratch / "catalog")
    for path, symbol, interval in SHARED:
        file = str(shared / path)
        bellwether(setup, "data", "import", "--format", "csv", "--instrument", symbol, "--interval", interval,
                   "--data", setup["data"], file)
        yield symbol, interval, file


def shipped_series(setup, catalog, scratch):
    """Exports the three longest bar series of the shipped catalog."""
    setup["data"] = str(catalog)
    listed = json.loads(bellwether(setup, "data", "list", "--json", "--data", setup["data"]))["series"]
    bars = [series for series in listed if series["kind"].startswith("bars-")]
    bars.sort(key=lambda series: (-series["rows"], series["symbol"], series["kind"]))
    for number, series in enumerate(bars[:3]):
        interval, file = series["kind"].removeprefix("bars-"), str(scratch / f"{number}.csv")
        bellwether(setup, "data", "export", "--instrument", series["symbol"], "--interval", interval,
                   "--data", setup["data"], "--out", file)
        yield series["symbol"], interval, file


def main():
    """Prepares the series, runs all cases on all cores, prints a line per series, fee, profile and mode."""
    here = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bellwether", default=os.environ.get("BELLWETHER", "bellwether"), help="the binary")
    parser.add_argument("--shared", type=Path, default=here.parent / "shared" / "market-data", help="acceptance data")
    parser.add_argument("--shipped", action="store_true", help="use backtest-data/ though acceptance data is there")
    parser.add_argument("--catalog", type=Path, default=here / "backtest-data", help="the shipped catalog")
    options = parser.parse_args()

    setup = {"bellwether": options.bellwether}
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        if options.shipped or not options.shared.is_dir():
            print(f"data: {options.catalog}" + ("" if options.shipped else " (skipped: no ../shared/market-data)"))
            series = list(shipped_series(setup, options.catalog, scratch))
        else:
            print(f"data: {options.shared}")
            series = list(shared_series(setup, options.shared, scratch))
        compare.setup = setup
        compare.frames = {(symbol, interval): read_bars(file) for symbol, interval, file in series}
        cases = [
            {"symbol": symbol, "interval": interval, "fee_bps": fee_bps, "profile": profile, "mode": mode, "pair": pair}
            for symbol, interval, _ in series
            for mode in MODES
            for profile in PROFILES
            for fee_bps in FEES_BPS
            for pair in PAIRS
        ]
        total = run_cases(cases, compare.frames)
    print(f"{len(cases)} cases, {total} trades: all equal, none unmatched")


def run_cases(cases, frames):
    """Runs the cases in order of the table; exits 1 at the first that differs. Returns the trades compared."""
    print(f"{'instrument':22} {'bars':>11} {'mode':10} {'profile':11} {'fee bp':>6}  trades per pair {PAIRS}; equity apart")
    total, counts, apart, left_out = 0, [], 0.0, 0
    with multiprocessing.get_context("fork").Pool() as pool:
        for case, trades, difference, note, different in pool.imap(compare, cases):
            if different:
                pool.terminate()
                sys.exit(f"different: {json.dumps(case)}\n{different}")
            total += trades
            counts.append(str(trades))
            # Where a fill is left out its fee is missing from one of the two.
            apart = apart if note else max(apart, difference)
            left_out += bool(note)
            if len(counts) == len(PAIRS):
                rows = f"{len(frames[case['symbol'], case['interval']])} x {case['interval']}"
                print(f"{case['symbol']:22} {rows:>11} {case['mode']:10} {case['profile']:11} {case['fee_bps']:>6}"
                      f"  {' '.join(counts)}; {apart:.1e}"
                      + (f"; {left_out} fills on the last bar left out" if left_out else ""), flush=True)
                counts, apart, left_out = [], 0.0, 0
    return total


if __name__ == "__main__":
    main()
