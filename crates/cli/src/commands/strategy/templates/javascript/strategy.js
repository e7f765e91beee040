// Follows two simple averages: long while the fast one is above the slow one.
//
// What every component exports is in wit/strategy.wit. Whole numbers of 64 bits are BigInt here: prices, times, quantities.

const PARAMS = {
  fast: { value: 10, help: "bars of the fast average", low: 1, high: 1000 },
  slow: { value: 30, help: "bars of the slow average", low: 2, high: 1000 },
};

let params, instruments, closes, asked;

function read(name, text) {
  const { low, high } = PARAMS[name];
  const value = Number(text);
  if (!Number.isInteger(value) || value < low || value > high) {
    throw { tag: "value", val: [name, text, `must be a whole number from ${low} to ${high}`] };
  }
  return value;
}

function wish(instrument, direction, reason) {
  const never = -(2n ** 63n);
  const val = {
    id: 0n, instrument, direction, strength: 1, confidence: 1, targets: [], tags: [], reason, source: "",
    tsMade: never, tsReceived: never,
  };
  asked.push({ tag: "signal", val });
}

const average = (numbers) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
const nothing = () => 0;

export const plugin = {
  describe: () => ({
    name: "{{ident}}",
    summary: "long while a fast average is above a slow one",
    version: "0.1.0",
    sdk: "javascript",
    directional: true,
    signalOnly: false,
    stateVersion: 1,
    params: Object.entries(PARAMS).map(([name, { value, help, low, high }]) => (
      { name, help, kind: "integer", default: String(value), range: [String(low), String(high)], choices: [] }
    )),
    capabilities: {
      instruments: [],
      orders: { market: true, limit: true, stopMarket: true, stopLimit: true, trailingStop: true },
    },
  }),

  create(given) {
    params = Object.fromEntries(Object.entries(PARAMS).map(([name, { value }]) => [name, value]));
    for (const [name, text] of given) {
      if (!(name in PARAMS)) throw { tag: "unknown", val: [name, Object.keys(PARAMS).join(", ")] };
      params[name] = read(name, text);
    }
    if (params.fast >= params.slow) throw { tag: "conflict", val: "fast must be below slow" };
    [closes, asked] = [{}, []];
    return { account: "cash", warmup: BigInt(params.slow) };
  },
  seat: (_scale, all, _mine) => { instruments = all; },
  sync: () => {},

  onBar(_at, bar) {
    const own = (closes[bar.instrument] ??= []);
    own.push(Number(bar.close) / 10 ** instruments[bar.instrument].priceScale);
    if (own.length > params.slow) own.shift();
    if (own.length < params.slow) return 0;
    // Said at every bar: a wish that is fulfilled makes no order, and one that came to nothing is made again.
    if (average(own.slice(-params.fast)) > average(own)) wish(bar.instrument, "long", "the fast average is above the slow one");
    else wish(bar.instrument, "flat", "the fast average is not above the slow one");
    return asked.length;
  },
  take() {
    const taken = asked;
    asked = [];
    return taken;
  },

  observe: () => ({ values: [], conditions: [] }),
  save: () => new TextEncoder().encode(JSON.stringify(closes)),
  restore: (state) => { closes = JSON.parse(new TextDecoder().decode(state)); },

  start: nothing, onTrade: nothing, onQuote: nothing, onBook: nothing, onFunding: nothing, onSignal: nothing,
  onOrder: nothing, onFill: nothing, onTimer: nothing, stop: nothing, onTrades: nothing, onBars: nothing,
};
