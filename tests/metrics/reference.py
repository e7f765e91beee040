"""Computes the metrics of a fixed equity curve and fixed trades with empyrical, QuantStats and NumPy.

The values are stored in reference.json, which a unit test of src/report/metrics compares within 1e-9. Run again with

    pip install quantstats empyrical-reloaded
    python tests/metrics/reference.py > tests/metrics/reference.json

Equity and prices are whole numbers, so that both sides begin with the same doubles. Three days have no data.
"""

import json
import random
import sys
from datetime import date, timedelta

import empyrical
import numpy
import pandas
import quantstats
import quantstats.stats as qs

START = 10_000
MISSING = {17, 18, 40}


def fixture():
    draw = random.Random(20240101)
    equity, days, day = START, [], date(2024, 1, 1)
    for i in range(90):
        equity = max(1_000, equity + draw.randint(-260, 290))
        if i not in MISSING:
            days.append((day.isoformat(), equity))
        day += timedelta(days=1)
    trades = [(20_000 + draw.randint(-3_000, 3_000), draw.randint(-400, 460)) for _ in range(60)]
    return days, [(entry, entry + move) for entry, move in trades]


def daily_returns(days, calendar):
    index = pandas.to_datetime([d for d, _ in days])
    curve = pandas.Series([float(e) for _, e in days], index=index)
    if calendar:
        curve = curve.asfreq("D").ffill()
    curve = pandas.concat([pandas.Series([float(START)], index=[index[0] - pandas.Timedelta(days=1)]), curve])
    return curve.pct_change().iloc[1:]


def of_days(days):
    every, trading = daily_returns(days, True), daily_returns(days, False)
    values = {}
    for name, returns, year in (("365", every, 365), ("252", trading, 252)):
        values[f"sharpe_daily_{name}"] = empyrical.sharpe_ratio(returns, annualization=year)
        values[f"sortino_daily_{name}"] = empyrical.sortino_ratio(returns, annualization=year)
        values[f"volatility_daily_{name}_pct"] = 100 * empyrical.annual_volatility(returns, annualization=year)
        # The second opinion: an assertion here, so that a difference stops the script.
        assert numpy.isclose(qs.sharpe(returns, periods=year), values[f"sharpe_daily_{name}"], rtol=1e-12)
        assert numpy.isclose(qs.sortino(returns, periods=year), values[f"sortino_daily_{name}"], rtol=1e-12)
        assert numpy.isclose(100 * qs.volatility(returns, periods=year), values[f"volatility_daily_{name}_pct"], rtol=1e-12)
    values["return_pct"] = 100 * empyrical.cum_returns_final(every)
    values["cagr_pct"] = 100 * empyrical.annual_return(every, annualization=365)
    values["max_drawdown_daily_pct"] = -100 * empyrical.max_drawdown(every)
    values["calmar"] = empyrical.calmar_ratio(every, annualization=365)
    values["recovery_factor"] = empyrical.cum_returns_final(every) / -empyrical.max_drawdown(every)
    values["best_day_pct"] = 100 * qs.best(trading)
    values["worst_day_pct"] = 100 * qs.worst(trading)
    # QuantStats divides by n - 1 and forgets the start as a peak; Martin (1987) divides by n.
    curve = numpy.concatenate([[1.0], (1 + trading).cumprod()])
    falls = (1 - curve / numpy.maximum.accumulate(curve))[1:]
    values["ulcer_index_daily_pct"] = 100 * numpy.sqrt((falls**2).mean())
    return values


def of_trades(trades, fee):
    entry = numpy.array([e for e, _ in trades], dtype=float)
    profit = numpy.array([x - e - fee for e, x in trades], dtype=float)
    returns = profit / entry
    series = pandas.Series(returns)
    root = numpy.sqrt(len(profit))
    runs, longest = 0, 0
    for value in profit:
        runs = runs + 1 if value < 0 else 0
        longest = max(longest, runs)
    return {
        "win_rate_pct": 100 * qs.win_rate(series),
        "profit_factor": profit[profit > 0].sum() / -profit[profit < 0].sum(),
        "profit_factor_return": qs.profit_factor(series),
        "payoff_ratio": qs.payoff_ratio(series),
        "expectancy": profit.mean(),
        "expectancy_pct": 100 * returns.mean(),
        "avg_win_pct": 100 * qs.avg_win(series),
        "avg_loss_pct": 100 * qs.avg_loss(series),
        "best_trade_pct": 100 * returns.max(),
        "worst_trade_pct": 100 * returns.min(),
        "max_consecutive_losses": longest,
        "sqn": root * profit.mean() / profit.std(ddof=1),
        "sqn_return": root * returns.mean() / returns.std(ddof=1),
    }


def main():
    days, trades = fixture()
    values = {**of_days(days), **of_trades(trades, 1)}
    modules = (empyrical, quantstats, pandas, numpy)
    versions = {m.__name__: m.__version__ for m in modules}
    document = {
        "versions": versions,
        "start": START,
        "fee": 1,
        "days": days,
        "trades": trades,
        "values": {k: float(v) for k, v in values.items()},
    }
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in document.items()]
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")


main()
