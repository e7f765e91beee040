"""Follows the crossing of two simple averages: long while the fast one is above the slow one."""

from bellwether import Param, Strategy, export


class {{Type}}(Strategy):
    name = "{{ident}}"
    summary = "long while a fast average is above a slow one"
    params = {
        "fast": Param(10, "bars of the fast average", 1, 1000),
        "slow": Param(30, "bars of the slow average", 2, 1000),
    }
    state = ("closes", "above")

    def start(self, ctx):
        self.closes = []
        self.above = False

    def check(self):
        if self.fast >= self.slow:
            return "fast must be below slow"

    def on_bar(self, ctx, bar):
        self.closes = [*self.closes, ctx.price(bar.instrument, bar.close)][-self.slow :]
        if len(self.closes) < self.slow:
            return
        above = sum(self.closes[-self.fast :]) / self.fast > sum(self.closes) / self.slow
        if above and not self.above:
            ctx.long(bar.instrument, "the fast average rose above the slow one")
        elif self.above and not above:
            ctx.flat(bar.instrument, "the fast average fell below the slow one")
        self.above = above


Plugin = export({{Type}})
