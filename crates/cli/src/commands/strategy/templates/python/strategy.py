"""Follows two simple averages: long while the fast one is above the slow one."""

from bellwether import Param, Strategy, export


class {{Type}}(Strategy):
    name = "{{ident}}"
    summary = "long while a fast average is above a slow one"
    params = {
        "fast": Param(10, "bars of the fast average", 1, 1000),
        "slow": Param(30, "bars of the slow average", 2, 1000),
    }
    state = ("closes",)

    def start(self, ctx):
        self.closes = [[] for _ in ctx.instruments]

    def check(self):
        if self.fast >= self.slow:
            return "fast must be below slow"

    def warmup(self):
        return self.slow

    def averages(self, instrument):
        closes = self.closes[instrument]
        if len(closes) == self.slow:
            return sum(closes[-self.fast :]) / self.fast, sum(closes) / self.slow

    def on_bar(self, ctx, bar):
        closes = self.closes[bar.instrument]
        closes.append(ctx.price(bar.instrument, bar.close))
        del closes[: -self.slow]
        averages = self.averages(bar.instrument)
        if averages is None:
            return
        # Said at every bar: a wish that is fulfilled makes no order, and one that came to nothing is made again.
        if averages[0] > averages[1]:
            ctx.long(bar.instrument, "the fast average is above the slow one")
        else:
            ctx.flat(bar.instrument, "the fast average is not above the slow one")

    def observe(self, probe):
        averages = self.averages(probe.instrument)
        if averages is not None:
            probe.value("fast", averages[0])
            probe.value("slow", averages[1])
            probe.condition("fast - slow", averages[0] - averages[1], 0.0)


Plugin = export({{Type}})
