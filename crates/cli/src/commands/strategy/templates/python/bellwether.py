"""What a strategy in Python is written with. `componentize-py` packs it into the component:

    componentize-py -d wit -w strategy componentize --stub-wasi strategy -o {{ident}}.wasm

A strategy has no files, no clock, no network here, and of the standard library only what needs none of them. A call costs
some microseconds: use bars, not every trade.

Prices and quantities of events are whole numbers at the scale of their instrument; `ctx.price` and `ctx.qty` make numbers of
them. What a strategy asks for is written as numbers, or as text where each digit counts; it is put on the instrument's grid.
"""

import json
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from math import isfinite
from types import SimpleNamespace

from wit_world import exports
from wit_world.exports import plugin as wit
from componentize_py_types import Err

NEVER = -(2**63)
ORDERS = ("market", "limit", "stop_market", "stop_limit", "trailing_stop")


class Param:
    """A parameter: a default (its type is the kind), what it is, and the range, or the words, allowed."""

    def __init__(self, default, help="", low=None, high=None, choices=()):
        if (low is None) != (high is None):
            raise ValueError("a range has both ends, or there is none")
        self.default, self.help, self.low, self.high, self.choices = default, help, low, high, list(choices)
        kinds = {bool: "boolean", int: "integer", float: "number", str: "text"}
        self.kind = "choice" if choices else kinds[type(default)]

    def spec(self, name):
        limits = None if self.low is None else (str(self.low), str(self.high))
        return wit.ParamSpec(name, self.help, self.kind, self.show(self.default), limits, self.choices)

    def show(self, value):
        return str(value).lower() if self.kind == "boolean" else str(value)

    def read(self, name, text):
        def wrong(why):
            return Err(wit.ParamError_Value((name, text, why)))

        try:
            value = {"true": True, "false": False}[text] if self.kind == "boolean" else type(self.default)(text)
        except (KeyError, ValueError):
            raise wrong(f"write a value of kind {self.kind}")
        if self.choices and value not in self.choices:
            raise wrong(f"write one of {', '.join(self.choices)}")
        if self.kind == "number" and not isfinite(value):
            raise wrong("write a finite number")
        if self.low is not None and not self.low <= value <= self.high:
            raise wrong(f"must be from {self.low} to {self.high}")
        return value


class Strategy:
    """Derive from it, set `name` and `summary`, and write the hooks you need."""

    name = "strategy"
    summary = ""
    version = "0.1.0"
    params = {}
    margin = False
    # Whether it wishes (`ctx.long`, `ctx.flat`), to be sized, instead of placing orders of its own (`ctx.place`).
    directional = True
    # What it may do at the most: names of instruments (none: any), kinds of orders, and the largest value of one order.
    instruments = ()
    orders = ORDERS
    order_notional_max = None
    # Names of all that it has to remember, set in `start`: what can be written as JSON. Empty: it keeps no state, and is
    # warmed up by history where another takes it up.
    state = ()
    # Versions of equal number take each other's state while a session runs; 0: none does.
    state_version = 0

    def check(self):
        """Why its parameters do not go together; nothing if they do."""

    def warmup(self):
        """Events per instrument after which it no longer matters where it began; 0: not declared."""
        return 0

    def start(self, ctx):
        pass

    def on_trade(self, ctx, trade):
        pass

    def on_quote(self, ctx, quote):
        pass

    def on_book(self, ctx, book):
        """`book.bids` and `book.asks` are levels of `price` and `qty`, the best first."""

    def on_bar(self, ctx, bar):
        pass

    def on_funding(self, ctx, funding):
        pass

    def on_signal(self, ctx, signal):
        """A signal made elsewhere."""

    def on_order(self, ctx, update):
        """An order of its own, or a wish (order 0), came to another state; `update.reason` says why."""

    def on_fill(self, ctx, fill):
        pass

    def on_timer(self, ctx, timer):
        pass

    def stop(self, ctx):
        pass

    def observe(self, probe):
        """What it decides by about `probe.instrument`, for charts and `bellwether explain`: `probe.value(name, now)`,
        `probe.condition(name, now, trigger)`."""


class Probe:
    def __init__(self, instrument):
        self.instrument, self.values, self.conditions = instrument, [], []

    def value(self, name, now):
        if now is not None and isfinite(now):
            self.values.append(wit.Value(name, float(now)))

    def condition(self, name, now, trigger):
        self.conditions.append(wit.Condition(name, float(now), float(trigger)))


def exact(value):
    """A decimal of the contract; the digits are those that are written."""
    value = Decimal(str(value)).normalize()
    scale = max(0, -value.as_tuple().exponent)
    return wit.Decimal(int(value.scaleb(scale)), scale)


class Context:
    """What a hook is given: the time, the prices, and the ways to act."""

    def __init__(self):
        self.now, self.equity, self.instruments, self.mine = 0, 0.0, [], []
        # Open orders of its own, as they are: `id`, `instrument`, `side`, `state`, `price`, `qty_left`.
        self.orders, self.asked, self.next_order = [], [], 1
        self.positions, self.lasts, self.quotes, self.features, self.synced = {}, {}, {}, {}, set()

    def price(self, instrument, mantissa):
        return mantissa / 10 ** self.instruments[instrument].price_scale

    def qty(self, instrument, mantissa):
        return mantissa / 10 ** self.instruments[instrument].qty_scale

    def position(self, instrument):
        held = self.positions.get(instrument)
        return self.qty(instrument, held.qty) if held else 0.0

    def entry(self, instrument):
        """The average price of the position; 0 when flat."""
        held = self.positions.get(instrument)
        return self.price(instrument, held.entry) if held else 0.0

    def feature(self, name, instrument):
        """A number from outside the market, for an instrument or for none; None until it is known."""
        return self.features.get((name, instrument), self.features.get((name, None)))

    def last(self, instrument):
        """The last price; 0 before the first."""
        return self.price(instrument, self.lasts.get(instrument, 0))

    def quote(self, instrument):
        """The last quote, `bid`, `ask`, `bid_qty`, `ask_qty` as whole numbers; nothing before the first."""
        return self.quotes.get(instrument)

    def long(self, instrument, reason="", **more):
        """Wishes to be long. `more`: `stop` and `target` (a price, or several), `trail` or `trail_pct`, `entry` (a limit
        price), one of `qty`, `notional`, `equity_pct`, and `tag`, `strength`, `confidence`."""
        self._signal(instrument, wit.Direction.LONG, reason, **more)

    def short(self, instrument, reason="", **more):
        self._signal(instrument, wit.Direction.SHORT, reason, **more)

    def flat(self, instrument, reason="", **more):
        self._signal(instrument, wit.Direction.FLAT, reason, **more)

    def place(
        self, instrument, side, qty=None, *, notional=None, limit=None, trigger=None, trail=None, trail_pct=None,
        tif="gtc", until=None, post_only=False, reduce_only=False, stop=None, target=None, stop_trail_pct=None, tag="",
    ):  # fmt: skip
        """Asks for an order and gives its number. `side` is "buy" or "sell"; the size is `qty`, or `notional` in quote
        currency. At market; with `limit` a limit order, with `trigger` a stop order, with both a stop-limit order, with
        `trail` or `trail_pct` a trailing stop. `tif` is "gtc", "ioc" or "fok", or `until` is a time. `stop`, `target` and
        `stop_trail_pct` protect what it fills."""

        def at(value):
            return self._price(instrument, value)

        distance = self._trail(instrument, trail, trail_pct)
        if distance is not None:
            kind = wit.OrderKind_TrailingStop(distance)
        elif trigger is not None and limit is not None:
            kind = wit.OrderKind_StopLimit(wit.StopLimit(at(trigger), at(limit)))
        elif trigger is not None:
            kind = wit.OrderKind_StopMarket(at(trigger))
        else:
            kind = wit.OrderKind_Market() if limit is None else wit.OrderKind_Limit(at(limit))
        if (qty is None) == (notional is None):
            raise ValueError("an order has a qty or a notional")
        if notional is None:
            size = wit.Size_Qty(self._lots(instrument, qty))
        else:
            size = wit.Size_Notional(wit.Notional(exact(notional), 0))
        tifs = {"gtc": wit.TimeInForce_Gtc, "ioc": wit.TimeInForce_Ioc, "fok": wit.TimeInForce_Fok}
        life = tifs[tif]() if until is None else wit.TimeInForce_Gtd(until)
        bracket = wit.Bracket(at(stop), at(target), self._trail(instrument, None, stop_trail_pct))
        side = {"buy": wit.Side.BUY, "sell": wit.Side.SELL}[side]
        intent = wit.Intent(instrument, side, size, kind, life, post_only, reduce_only, bracket, tag)
        self.asked.append(wit.Action_Place(intent))
        self.next_order += 1
        return self.next_order - 1

    def cancel(self, order):
        self.asked.append(wit.Action_Cancel(order))

    def cancel_all(self, instrument):
        self.asked.append(wit.Action_CancelAll(instrument))

    def timer(self, at, timer):
        """Asks for `on_timer` at a time, in nanoseconds as `ctx.now` is."""
        self.asked.append(wit.Action_Timer(wit.Timer(at, timer)))

    def subscribe_bars(self, instrument, interval):
        """Asks, in `start`, for bars of another interval in nanoseconds, built from finer data."""
        self.asked.append(wit.Action_SubscribeBars(wit.Subscription(instrument, interval)))

    def halt(self, reason):
        self.asked.append(wit.Action_Halt(reason))

    def _price(self, instrument, value):
        """The price nearest on the grid of ticks."""
        if value is None:
            return None
        of = self.instruments[instrument]
        ticks = Decimal(str(value)).scaleb(of.price_scale) / of.tick
        price = int(ticks.to_integral_value(ROUND_HALF_EVEN)) * of.tick
        if price <= 0:
            raise ValueError(f"{value} is no price of {of.symbol}")
        return price

    def _lots(self, instrument, value):
        """The quantity, toward zero on the grid of lots."""
        of = self.instruments[instrument]
        lots = Decimal(str(value)).scaleb(of.qty_scale) / of.lot
        return int(lots.to_integral_value(ROUND_DOWN)) * of.lot

    def _trail(self, instrument, distance, pct):
        if pct is not None:
            return wit.Trail_Fraction(int(Decimal(str(pct)).scaleb(10)))
        return None if distance is None else wit.Trail_Offset(self._price(instrument, distance))

    def _signal(
        self, instrument, direction, reason, stop=None, target=None, trail=None, trail_pct=None, entry=None, qty=None,
        notional=None, equity_pct=None, tag="", strength=1.0, confidence=1.0,
    ):  # fmt: skip
        sizes = [
            None if qty is None else wit.SizeHint_Qty(exact(qty)),
            None if notional is None else wit.SizeHint_Notional(exact(notional)),
            None if equity_pct is None else wit.SizeHint_EquityPct(float(equity_pct)),
        ]
        sizes = [size for size in sizes if size is not None]
        if len(sizes) > 1:
            raise ValueError("a signal has one size: qty, notional or equity_pct")
        targets = [] if target is None else list(target) if isinstance(target, (list, tuple)) else [target]
        entry, stop, *targets = (self._price(instrument, price) for price in (entry, stop, *targets))
        signal = wit.Signal(
            0, instrument, direction, float(strength), float(confidence), None, None, sizes[0] if sizes else None,
            entry, stop, self._trail(instrument, trail, trail_pct), targets, [tag] if tag else [], reason, "", NEVER, NEVER,
        )  # fmt: skip
        self.asked.append(wit.Action_Signal(signal))


def export(strategy):
    """The component of a strategy: `Plugin = export(MyStrategy)`."""

    class Plugin(exports.Plugin):
        def describe(self):
            unknown = set(strategy.orders) - set(ORDERS)
            if unknown:
                raise ValueError(f"there are no orders of kind {', '.join(sorted(unknown))}")
            most = None if strategy.order_notional_max is None else exact(strategy.order_notional_max)
            kinds = wit.OrderKinds(*(kind in strategy.orders for kind in ORDERS))
            return wit.Manifest(
                strategy.name,
                strategy.summary,
                strategy.version,
                "python",
                strategy.directional,
                False,
                strategy.state_version,
                [p.spec(n) for n, p in strategy.params.items()],
                wit.Capabilities(list(strategy.instruments), kinds, most),
            )

        def create(self, params):
            given = dict(params)
            for name in given:
                if name not in strategy.params:
                    raise Err(wit.ParamError_Unknown((name, ", ".join(strategy.params))))
            made = strategy()
            for name, param in strategy.params.items():
                setattr(made, name, param.read(name, given[name]) if name in given else param.default)
            conflict = made.check()
            if conflict:
                raise Err(wit.ParamError_Conflict(conflict))
            Plugin.it, Plugin.ctx, Plugin.scale = made, Context(), 0
            return wit.Created(wit.Account.MARGIN if strategy.margin else wit.Account.CASH, made.warmup())

        def seat(self, equity_scale, instruments, mine):
            Plugin.scale = equity_scale
            Plugin.ctx.instruments, Plugin.ctx.mine = instruments, mine

        def sync(self, seen, positions, orders, features):
            ctx = Plugin.ctx
            for now in seen:
                ctx.lasts[now.quote.instrument], ctx.quotes[now.quote.instrument] = now.last, now.quote
            ctx.synced = {now.quote.instrument for now in seen}
            ctx.positions.update((p.instrument, p) for p in positions)
            ctx.features.update(((f.name, f.instrument), f.value) for f in features)
            if orders is not None:
                ctx.orders = orders

        def _hear(self, at, hook, *event):
            ctx = Plugin.ctx
            ctx.now, ctx.next_order, ctx.synced = at.now, at.next_order, set()
            ctx.equity = ((at.equity.high << 64) | at.equity.low) / 10**Plugin.scale
            hook(ctx, *event)
            return len(ctx.asked)

        def _saw(self, instrument, price):
            # What the host has told in `sync` is newer.
            if price and instrument not in Plugin.ctx.synced:
                Plugin.ctx.lasts[instrument] = price

        def start(self, at):
            return self._hear(at, Plugin.it.start)

        def on_trade(self, at, trade):
            self._saw(trade.instrument, trade.price)
            return self._hear(at, Plugin.it.on_trade, trade)

        def on_quote(self, at, quote):
            if quote.instrument not in Plugin.ctx.synced:
                Plugin.ctx.quotes[quote.instrument] = quote
            self._saw(quote.instrument, (quote.bid + quote.ask) // 2 if quote.bid and quote.ask else 0)
            return self._hear(at, Plugin.it.on_quote, quote)

        def on_book(self, at, ts, instrument, bids, asks):
            book = SimpleNamespace(ts=ts, instrument=instrument, bids=bids, asks=asks)
            return self._hear(at, Plugin.it.on_book, book)

        def on_bar(self, at, bar):
            self._saw(bar.instrument, bar.close)
            return self._hear(at, Plugin.it.on_bar, bar)

        def on_funding(self, at, funding):
            return self._hear(at, Plugin.it.on_funding, funding)

        def on_signal(self, at, signal):
            return self._hear(at, Plugin.it.on_signal, signal)

        def on_order(self, at, update):
            return self._hear(at, Plugin.it.on_order, update)

        def on_fill(self, at, fill):
            return self._hear(at, Plugin.it.on_fill, fill)

        def on_timer(self, at, timer):
            return self._hear(at, Plugin.it.on_timer, timer)

        def stop(self, at):
            return self._hear(at, Plugin.it.stop)

        def take(self):
            asked, Plugin.ctx.asked = Plugin.ctx.asked, []
            return asked

        def on_trades(self, instrument, rows):
            raise NotImplementedError("only for strategies that are signal-only")

        def on_bars(self, instrument, interval, rows):
            raise NotImplementedError("only for strategies that are signal-only")

        def observe(self, instrument):
            probe = Probe(instrument)
            Plugin.it.observe(probe)
            return wit.Observed(probe.values, probe.conditions)

        def save(self):
            if not strategy.state:
                return b""
            return json.dumps([getattr(Plugin.it, name) for name in strategy.state]).encode()

        def restore(self, state):
            values = json.loads(state) if state else []
            if len(values) != len(strategy.state):
                raise Err("this is the state of another strategy")
            for name, value in zip(strategy.state, values):
                setattr(Plugin.it, name, value)

    return Plugin


def digits(mantissa, scale):
    return f"{Decimal(mantissa).scaleb(-scale).normalize():f}"


def word(ctx, action):
    """An action as a word of a story: "long", "buy-1.5@99", "sell-1@market", "cancel-2"; nothing for timers and bars."""
    if isinstance(action, wit.Action_Signal):
        return action.value.direction.name.lower()
    if isinstance(action, wit.Action_Cancel):
        return f"cancel-{action.value}"
    if not isinstance(action, wit.Action_Place):
        return {wit.Action_CancelAll: "cancel-all", wit.Action_Halt: "halt"}.get(type(action))
    it, of = action.value, ctx.instruments[action.value.instrument]
    size = digits(it.size.value, of.qty_scale) if isinstance(it.size, wit.Size_Qty) else "notional"
    limit = "market"
    if isinstance(it.kind, wit.OrderKind_Limit):
        limit = digits(it.kind.value, of.price_scale)
    if isinstance(it.kind, wit.OrderKind_StopLimit):
        limit = digits(it.kind.value.price, of.price_scale)
    return f"{it.side.name.lower()}-{size}@{limit}"


def story(strategy, closes, restarts=False, **params):
    """What it asks for over bars of these closes, as text: `story(MyCross, "100 101 99", fast=1, slow=2)` gives
    "2:long 3:flat". With `restarts` another takes up its state after each bar."""

    def made():
        plugin = export(strategy)()
        plugin.create([(name, strategy.params[name].show(value)) for name, value in params.items()])
        plugin.seat(2, [wit.Instrument("test:AAA/USD", 2, 3, 1, 1, 1, wit.Wide(0, 0), 1, True)], [0])
        plugin.sync([], [], None, [])
        plugin.start(moment(0, 1))
        return plugin

    def moment(now, next_order):
        return wit.Moment(now, next_order, wit.Wide(0, 0))

    def told(n):
        nonlocal orders
        for action in plugin.take():
            orders += isinstance(action, wit.Action_Place)
            said = word(plugin.ctx, action)
            if said:
                words.append(f"{n}:{said}")

    plugin, words, hour, orders = made(), [], 3600 * 10**9, 1
    told(0)
    for n, close in enumerate(closes.split(), 1):
        price = round(float(close) * 100)
        bar = wit.Bar((n - 1) * hour, n * hour, price, price, price, price, 1000, hour, 0)
        plugin.on_bar(moment(n * hour, orders), bar)
        told(n)
        if restarts:
            state, plugin = plugin.save(), made()
            # What it asks for at its start was asked for long ago.
            plugin.take()
            plugin.restore(state)
    return " ".join(words)
