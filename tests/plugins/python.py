#!/usr/bin/env python3
"""What a strategy in Python can say and hear: the module that `strategy new --lang python` writes, in plain Python.

Usage: python.py [DIR]: the folder of the bindings that componentize-py made (its `wit_world`); without one, bindings that
only take down what they are given stand in for them.
"""

import enum
import sys
import types
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "crates/cli/src/commands/strategy/templates/python"))


def stand_in() -> None:
    """Modules of the names that the bindings have: an enum by its words, all else a record of what it was given."""

    class Record:
        def __init__(self, *values):
            self.values = values
            if values:
                self.value = values[0]

        def __eq__(self, other):
            return type(self) is type(other) and self.values == other.values

        def __repr__(self):
            return f"{type(self).__name__}{self.values}"

    class Names(types.ModuleType):
        def __getattr__(self, name):
            made = type(name, (Record,), {})
            setattr(self, name, made)
            return made

    def record(name, *fields):
        def make(self, *values):
            Record.__init__(self, *values)
            assert len(values) == len(fields), (name, values)
            self.__dict__.update(zip(fields, values))

        return type(name, (Record,), {"__init__": make})

    plugin = Names("wit_world.exports.plugin")
    for name, words in {
        "Direction": "LONG SHORT FLAT", "Side": "BUY SELL", "Account": "CASH MARGIN",
    }.items():  # fmt: skip
        setattr(plugin, name, enum.Enum(name, words))
    for name, fields in {
        "Moment": "now next_order equity", "Wide": "high low", "Value": "name now",
        "Condition": "name now trigger", "Observed": "values_ conditions", "Created": "account warmup",
        "Quote": "ts ts_venue bid bid_qty ask ask_qty instrument", "Seen": "last quote",
        "Bar": "ts_open ts_close open high low close volume interval instrument",
        "Position": "instrument qty entry", "StopLimit": "trigger price", "Feature": "name instrument value ts",
        "Instrument": "symbol price_scale qty_scale tick lot qty_min notional_min multiplier inferred",
        "Intent": "instrument side size kind tif post_only reduce_only bracket tag",
        "Signal": "id instrument direction strength confidence horizon_ns expiry size entry stop trailing_stop targets "
        "tags reason source ts_made ts_received",
        "Manifest": "name summary version sdk directional signal_only state_version params capabilities",
    }.items():  # fmt: skip
        setattr(plugin, name, record(name, *fields.split()))
    exports = types.ModuleType("wit_world.exports")
    exports.Plugin, exports.plugin = object, plugin
    world, words = types.ModuleType("wit_world"), types.ModuleType("componentize_py_types")
    world.exports = exports
    words.Err = type("Err", (Exception,), {"__init__": lambda self, value: setattr(self, "value", value)})
    for module in (world, exports, plugin, words):
        sys.modules[module.__name__] = module


if len(sys.argv) > 1:
    sys.path.insert(0, sys.argv.pop(1))
else:
    stand_in()

from bellwether import Param, Strategy, exact, export, story, wit  # noqa: E402
from componentize_py_types import Err  # noqa: E402


def seated(strategy, **params):
    plugin = export(strategy)()
    created = plugin.create(list(params.items()))
    # Ticks of 0.05, lots of 0.01.
    plugin.seat(2, [wit.Instrument("test:AAA/USD", 2, 3, 5, 10, 1, wit.Wide(0, 0), 1, True)], [0])
    return plugin, created


def moment(next_order=1):
    return wit.Moment(7, next_order, wit.Wide(-1, 2**64 - 150))


def bar(close):
    return wit.Bar(0, 1, close, close, close, close, 1000, 1, 0)


def asks(hook):
    """What a strategy asks for at a bar at which it does `hook(ctx)`."""

    class Asks(Strategy):
        def on_bar(self, ctx, bar):
            hook(ctx)

    plugin, _ = seated(Asks)
    assert plugin.on_bar(moment(), bar(10_000)) == len(plugin.ctx.asked)
    return plugin.take()


class Tests(unittest.TestCase):
    def test_a_signal_has_its_stop_targets_size_and_tag(self):
        def hook(ctx):
            ctx.long(0, "why", stop=95.01, target=[110, "120.05"], equity_pct=25, tag="dip", entry=99.99)

        (action,) = asks(hook)
        signal = action.value
        # Prices are on the grid of 0.05.
        self.assertEqual((signal.entry, signal.stop, signal.targets), (10_000, 9_500, [11_000, 12_005]))
        self.assertEqual((signal.size, signal.tags, signal.reason), (wit.SizeHint_EquityPct(25.0), ["dip"], "why"))
        (action,) = asks(lambda ctx: ctx.short(0, trail_pct=2, notional="0.30"))
        self.assertEqual(action.value.trailing_stop, wit.Trail_Fraction(20_000_000_000))
        self.assertEqual(action.value.size, wit.SizeHint_Notional(exact("0.3")))
        with self.assertRaises(ValueError):
            asks(lambda ctx: ctx.long(0, qty=1, notional=2))

    def test_orders_of_every_kind_are_placed_numbered_and_cancelled(self):
        numbers = []

        def hook(ctx):
            numbers.append(ctx.place(0, "buy", 1.239, limit=99, post_only=True, stop=95, target=110, tag="rests"))
            numbers.append(ctx.place(0, "sell", 2, trigger=90, limit=89, tif="ioc"))
            numbers.append(ctx.place(0, "sell", 2, trigger=90, reduce_only=True))
            numbers.append(ctx.place(0, "sell", 2, trail=2.5, until=70))
            numbers.append(ctx.place(0, "buy", notional=500, tif="fok"))
            ctx.cancel(numbers[0])
            ctx.cancel_all(0)
            ctx.timer(70, 3)
            ctx.subscribe_bars(0, 60)

        *placed, cancel, cancel_all, timer, bars = asks(hook)
        self.assertEqual(numbers, [1, 2, 3, 4, 5])
        rests, stop_limit, stop, trails, worth = (action.value for action in placed)
        self.assertEqual((rests.size, rests.kind), (wit.Size_Qty(1_230), wit.OrderKind_Limit(9_900)))
        self.assertEqual((rests.post_only, rests.reduce_only, rests.tag), (True, False, "rests"))
        self.assertEqual(rests.bracket, wit.Bracket(9_500, 11_000, None))
        self.assertEqual(stop_limit.kind, wit.OrderKind_StopLimit(wit.StopLimit(9_000, 8_900)))
        self.assertEqual((stop_limit.tif, stop_limit.side), (wit.TimeInForce_Ioc(), wit.Side.SELL))
        self.assertEqual((stop.kind, stop.reduce_only), (wit.OrderKind_StopMarket(9_000), True))
        self.assertEqual(trails.kind, wit.OrderKind_TrailingStop(wit.Trail_Offset(250)))
        self.assertEqual(trails.tif, wit.TimeInForce_Gtd(70))
        self.assertEqual(worth.size, wit.Size_Notional(wit.Notional(exact(500), 0)))
        self.assertEqual((worth.kind, worth.tif), (wit.OrderKind_Market(), wit.TimeInForce_Fok()))
        self.assertEqual((cancel, cancel_all), (wit.Action_Cancel(1), wit.Action_CancelAll(0)))
        self.assertEqual(timer, wit.Action_Timer(wit.Timer(70, 3)))
        self.assertEqual(bars, wit.Action_SubscribeBars(wit.Subscription(0, 60)))

    def test_every_hook_is_heard(self):
        class Hears(Strategy):
            def __getattribute__(self, name):
                if name.startswith("on_") or name in ("start", "stop"):
                    return lambda ctx, *event: ctx.halt(name)
                return super().__getattribute__(name)

        plugin, _ = seated(Hears)
        quote = wit.Quote(0, 0, 99, 1, 101, 1, 0)
        for name, event in {
            "start": (), "stop": (), "on_bar": (bar(1),), "on_quote": (quote,), "on_book": (0, 0, [], []),
            "on_trade": (bar(1),), "on_funding": (None,), "on_signal": (None,), "on_order": (None,),
            "on_fill": (None,), "on_timer": (3,),
        }.items():  # fmt: skip
            if name == "on_trade":
                event[0].price = 1
            self.assertEqual(getattr(plugin, name)(moment(), *event), 1, name)
            self.assertEqual(plugin.take(), [wit.Action_Halt(name)])

    def test_it_sees_prices_positions_and_equity(self):
        seen = []

        class Sees(Strategy):
            def on_bar(self, ctx, bar):
                seen.append((ctx.last(0), ctx.position(0), ctx.entry(0), ctx.equity))

        plugin, _ = seated(Sees)
        plugin.on_bar(moment(), bar(10_000))
        plugin.sync([wit.Seen(10_100, wit.Quote(0, 0, 0, 0, 0, 0, 0))], [wit.Position(0, -1_500, 9_900)], None, [])
        plugin.on_bar(moment(), bar(10_000))
        self.assertEqual(seen, [(100.0, 0.0, 0.0, -1.5), (101.0, -1.5, 99.0, -1.5)])

    def test_it_sees_numbers_from_outside_the_market_of_an_instrument_before_those_of_none(self):
        seen = []

        class Reads(Strategy):
            def on_bar(self, ctx, bar):
                seen.append((ctx.feature("fear", 0), ctx.feature("grade", 0)))

        plugin, _ = seated(Reads)
        plugin.on_bar(moment(), bar(10_000))
        plugin.sync([], [], None, [wit.Feature("fear", None, 20.0, 1), wit.Feature("grade", None, 0.5, 1)])
        plugin.sync([], [], None, [wit.Feature("grade", 0, 0.75, 2)])
        plugin.on_bar(moment(), bar(10_000))
        self.assertEqual(seen, [(None, None), (20.0, 0.75)])

    def test_it_says_what_it_may_do_and_how_long_it_warms_up(self):
        class Careful(Strategy):
            instruments = ("test:AAA/USD",)
            orders = ("market", "stop_limit")
            order_notional_max = "1000.50"
            directional = False

            def warmup(self):
                return 30

        plugin, created = seated(Careful)
        self.assertEqual(created, wit.Created(wit.Account.CASH, 30))
        told = plugin.describe()
        kinds = wit.OrderKinds(True, False, False, True, False)
        self.assertEqual(told.capabilities, wit.Capabilities(["test:AAA/USD"], kinds, wit.Decimal(10_005, 1)))
        self.assertFalse(told.directional)

    def test_it_tells_what_it_decides_by(self):
        class Tells(Strategy):
            def observe(self, probe):
                probe.value("fast", 1)
                probe.value("slow", None)
                probe.condition("gap", 2, 3)

        plugin, _ = seated(Tells)
        expected = wit.Observed([wit.Value("fast", 1.0)], [wit.Condition("gap", 2.0, 3.0)])
        self.assertEqual(plugin.observe(0), expected)

    def test_a_parameter_that_is_no_number_or_none_of_its_words_is_refused(self):
        class Takes(Strategy):
            params = {"share": Param(0.5), "mode": Param("long", choices=("long", "both"))}

        for params in ({"share": "nan"}, {"share": "inf"}, {"share": "-inf"}, {"share": "x"}, {"mode": "short"}):
            with self.assertRaises(Err, msg=params):
                seated(Takes, **params)
        plugin, _ = seated(Takes, share="0.25", mode="both")
        self.assertEqual((plugin.it.share, plugin.it.mode), (0.25, "both"))
        with self.assertRaises(ValueError):
            Param(1, low=0)

    def test_a_story_tells_orders_and_what_is_asked_for_at_the_start(self):
        class Bids(Strategy):
            def start(self, ctx):
                ctx.place(0, "sell", 100)

            def on_bar(self, ctx, bar):
                ctx.cancel(ctx.place(0, "buy", "0.5", limit=ctx.price(0, bar.close) - 1))
                ctx.timer(1, 1)

        self.assertEqual(story(Bids, "100 101"), "0:sell-100@market 1:buy-0.5@99 1:cancel-2 2:buy-0.5@100 2:cancel-3")


if __name__ == "__main__":
    unittest.main()
