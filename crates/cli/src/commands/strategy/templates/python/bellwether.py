"""What a strategy in Python is written with. `bellwether strategy build` packs it into the component.

A strategy has no files, no clock, no network here, and of the standard library only what needs none of them. A call costs
some microseconds: use bars, not every trade.
"""

import json

from wit_world import exports
from wit_world.exports import plugin as wit
from componentize_py_types import Err


class Param:
    """A parameter: a default (its type is the kind), what it is, and the range allowed."""

    def __init__(self, default, help="", low=None, high=None):
        self.default, self.help, self.low, self.high = default, help, low, high
        kinds = {bool: "boolean", int: "integer", float: "number", str: "text"}
        self.kind = kinds[type(default)]

    def spec(self, name):
        limits = None if self.low is None else (str(self.low), str(self.high))
        return wit.ParamSpec(name, self.help, self.kind, self.show(self.default), limits, [])

    def show(self, value):
        return str(value).lower() if self.kind == "boolean" else str(value)

    def read(self, name, text):
        try:
            value = {"true": True, "false": False}[text] if self.kind == "boolean" else type(self.default)(text)
        except (KeyError, ValueError):
            raise Err(wit.ParamError_Value((name, text, f"write a value of kind {self.kind}")))
        if self.low is not None and not self.low <= value <= self.high:
            raise Err(wit.ParamError_Value((name, text, f"must be from {self.low} to {self.high}")))
        return value


class Strategy:
    """Derive from it, set `name` and `summary`, and write the hooks you need."""

    name = "strategy"
    summary = ""
    version = "0.1.0"
    params = {}
    margin = False
    # Names of all that it has to remember, set in `start`: what can be written as JSON. Empty: it keeps no state, and is
    # warmed up by history where another takes it up.
    state = ()
    # Versions of equal number take each other's state while a session runs; 0: none does.
    state_version = 0

    def check(self):
        """Why its parameters do not go together; nothing if they do."""

    def start(self, ctx):
        pass

    def on_trade(self, ctx, trade):
        pass

    def on_quote(self, ctx, quote):
        pass

    def on_bar(self, ctx, bar):
        pass

    def on_fill(self, ctx, fill):
        pass

    def stop(self, ctx):
        pass


class Context:
    """What a hook is given: the time, the prices, and the ways to act."""

    def __init__(self):
        self.now, self.equity, self.instruments, self.mine = 0, 0.0, [], []
        self.positions, self.orders, self.features, self.asked = {}, [], {}, []

    def price(self, instrument, mantissa):
        return mantissa / 10 ** self.instruments[instrument].price_scale

    def position(self, instrument):
        held = self.positions.get(instrument, 0)
        return held / 10 ** self.instruments[instrument].qty_scale

    def feature(self, name, instrument):
        """A number from outside the market, for an instrument or for none; None until it is known."""
        return self.features.get((name, instrument), self.features.get((name, None)))

    def long(self, instrument, reason=""):
        self._signal(instrument, wit.Direction.LONG, reason)

    def short(self, instrument, reason=""):
        self._signal(instrument, wit.Direction.SHORT, reason)

    def flat(self, instrument, reason=""):
        self._signal(instrument, wit.Direction.FLAT, reason)

    def halt(self, reason):
        self.asked.append(wit.Action_Halt(reason))

    def _signal(self, instrument, direction, reason):
        never = -(2**63)
        signal = wit.Signal(
            0, instrument, direction, 1.0, 1.0, None, None, None, None, None, None, [], [], reason, "", never, never
        )
        self.asked.append(wit.Action_Signal(signal))


def export(strategy):
    """The component of a strategy: `Plugin = export(MyStrategy)`."""

    class Plugin(exports.Plugin):
        def describe(self):
            every = wit.OrderKinds(True, True, True, True, True)
            specs = [p.spec(n) for n, p in strategy.params.items()]
            may = wit.Capabilities([], every, None)
            return wit.Manifest(
                strategy.name,
                strategy.summary,
                strategy.version,
                "python",
                True,
                False,
                strategy.state_version,
                specs,
                may,
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
            return wit.Created(wit.Account.MARGIN if strategy.margin else wit.Account.CASH, 0)

        def seat(self, equity_scale, instruments, mine):
            Plugin.scale = equity_scale
            Plugin.ctx.instruments, Plugin.ctx.mine = instruments, mine

        def sync(self, seen, positions, orders, features):
            Plugin.ctx.positions.update((p.instrument, p.qty) for p in positions)
            Plugin.ctx.features.update(((f.name, f.instrument), f.value) for f in features)
            if orders is not None:
                Plugin.ctx.orders = orders

        def _hear(self, at, hook, *event):
            ctx = Plugin.ctx
            ctx.now = at.now
            ctx.equity = ((at.equity.high << 64) | at.equity.low) / 10**Plugin.scale
            hook(ctx, *event)
            return len(ctx.asked)

        def start(self, at):
            return self._hear(at, Plugin.it.start)

        def on_trade(self, at, trade):
            return self._hear(at, Plugin.it.on_trade, trade)

        def on_quote(self, at, quote):
            return self._hear(at, Plugin.it.on_quote, quote)

        def on_bar(self, at, bar):
            return self._hear(at, Plugin.it.on_bar, bar)

        def on_fill(self, at, fill):
            return self._hear(at, Plugin.it.on_fill, fill)

        def stop(self, at):
            return self._hear(at, Plugin.it.stop)

        def on_book(self, at, ts, instrument, bids, asks):
            return 0

        def on_funding(self, at, funding):
            return 0

        def on_signal(self, at, signal):
            return 0

        def on_order(self, at, update):
            return 0

        def on_timer(self, at, timer):
            return 0

        def take(self):
            asked, Plugin.ctx.asked = Plugin.ctx.asked, []
            return asked

        def on_trades(self, instrument, rows):
            raise NotImplementedError("only for strategies that are signal-only")

        def on_bars(self, instrument, interval, rows):
            raise NotImplementedError("only for strategies that are signal-only")

        def observe(self, instrument):
            return wit.Observed([], [])

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


def story(strategy, closes, restarts=False, **params):
    """What it asks for over bars of these closes, as text: `story(MyCross, "100 101 99", fast=1, slow=2)` gives
    "2:long 3:flat". With `restarts` another takes up its state after each bar."""

    def made():
        plugin = export(strategy)()
        plugin.create([(name, strategy.params[name].show(value)) for name, value in params.items()])
        plugin.seat(2, [wit.Instrument("test:AAA/USD", 2, 3, 1, 1, 1, wit.Wide(0, 0), 1, True)], [0])
        plugin.start(moment(0))
        return plugin

    def moment(now):
        return wit.Moment(now, 1, wit.Wide(0, 0))

    def word(action):
        if isinstance(action, wit.Action_Signal):
            return action.value.direction.name.lower()
        return "halt"

    plugin, told, hour = made(), [], 3600 * 10**9
    for n, close in enumerate(closes.split(), 1):
        price = round(float(close) * 100)
        plugin.on_bar(moment(n * hour), wit.Bar((n - 1) * hour, n * hour, price, price, price, price, 1000, hour, 0))
        told += [f"{n}:{word(action)}" for action in plugin.take()]
        if restarts:
            state, plugin = plugin.save(), made()
            plugin.restore(state)
    return " ".join(told)
