#!/usr/bin/env python3
"""Whole-process figures of the command: CPU seconds and peak memory as the operating system accounts them.

    benches/process.py BELLWETHER TRADES_CSV [TRADES_CSV …]

Run it in the repository's folder: the shipped data is used too. Each CSV (made by `cargo bench --bench replay -- --write-csv N FILE`) is imported into a catalog of its own; then the
same strategy runs over each, five times, and the median is printed. Peak memory must not grow with the length.
"""
import os, statistics, subprocess, sys, tempfile


def run(line, quiet=True):
    """Runs a command; CPU seconds, peak memory in MB."""
    out = subprocess.DEVNULL if quiet else None
    child = subprocess.Popen(line, stdout=out, stderr=subprocess.PIPE)
    errors = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(line)}\n{errors.decode()}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def median_of(line, runs=5):
    figures = [run(line) for _ in range(runs)]
    return statistics.median(f[0] for f in figures), max(f[1] for f in figures)


def main():
    bellwether, files = sys.argv[1], sys.argv[2:]
    print("| what | CPU s | per CPU second | peak memory |\n|---|---|---|---|")
    cpu, memory = median_of([bellwether, "--version"], 20)
    print(f"| start-up (`--version`) | {cpu:.3f} | | {memory:.0f} MB |")
    with tempfile.TemporaryDirectory() as room:
        # About a thousand trades on the shipped bars, without and with the page.
        flags = ["backtest", "--set", "strategy.fast=20", "--set", "strategy.slow=50", "--set", "strategy.qty=1"]
        flags += ["--cash", "1000000USDT", "--interval", "1h", "--no-save"]
        plain, memory = median_of([bellwether, *flags])
        print(f"| backtest of the shipped hourly bars, ~1,000 trades | {plain:.3f} | | {memory:.0f} MB |")
        paged, memory = median_of([bellwether, *flags, "--report", f"{room}/report.html"])
        print(f"| the same with its HTML report | {paged:.3f} | | {memory:.0f} MB |")
        for i, path in enumerate(files):
            rows = sum(block.count(b"\n") for block in iter(lambda f=open(path, "rb"): f.read(1 << 20), b"")) - 1
            catalog = f"{room}/{i}"
            spec = ["--format", "csv", "--instrument", "binance:BTC/USDT", "--kind", "trades", "--data", catalog]
            cpu, memory = run([bellwether, "data", "import", *spec, path])
            print(f"| import {rows:,} trades | {cpu:.2f} | {rows / cpu / 1e6:.1f} M | {memory:.0f} MB |")
            flags = ["--strategy", "ema_cross", "--set", "strategy.fast=1000", "--set", "strategy.slow=3000"]
            flags += ["--set", "strategy.qty=0.01", "--cash", "1000000USDT", "--kind", "trades", "--no-save"]
            cpu, memory = median_of([bellwether, "backtest", "--data", catalog, *flags])
            print(f"| backtest {rows:,} trades from the store | {cpu:.3f} | {rows / cpu / 1e6:.1f} M | {memory:.0f} MB |")


main()
