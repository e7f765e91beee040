"""Follows the crossing of two simple averages: long while the fast one is above the slow one."""

from collections import deque

from bellwether import Param, Strategy, export


class {{Type}}(Strategy):
    name = "{{ident}}"
    summary = "long while a fast average is above a slow one"
    params = {
        "fast": Param(10, "bars of the fast average", 1, 1000),
        "slow": Param(30, "bars of the slow average", 2, 1000),
    }

    def start(self, ctx):
        self.closes = deque(maxlen=self.slow)
        self.above = False

    def on_bar(self, ctx, bar):
        self.closes.append(ctx.price(bar.instrument, bar.close))
        if len(self.closes) < self.slow:
            return
        closes = list(self.closes)
        above = sum(closes[-self.fast :]) / self.fast > sum(closes) / self.slow
        if above and not self.above:
            ctx.long(bar.instrument, "the fast average rose above the slow one")
        elif self.above and not above:
            ctx.flat(bar.instrument, "the fast average fell below the slow one")
        self.above = above


Plugin = export({{Type}})
