"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const settings = { displaylogo: false, responsive: true,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"] };
  const lines = ["#d98a1f", "#7a5bd0", "#1296a8", "#c2559b", "#6f8f2e", "#a0622d"];

  function layout(height, extra) {
    const axis = { gridcolor: css("--grid"), linecolor: css("--line"), zerolinecolor: css("--line") };
    const base = {
      height, margin: { l: 64, r: 14, t: 6, b: 34 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: css("--fg"), size: 12, family: "system-ui, sans-serif" }, hovermode: "x unified",
      hoverlabel: { bgcolor: css("--card"), font: { color: css("--fg") } },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: css("--hold"), activecolor: css("--accent") },
      legend: { orientation: "h", x: 0, y: 1.01, yanchor: "bottom" }, xaxis: { ...axis }, yaxis: { ...axis },
    };
    for (const [key, value] of Object.entries(extra)) {
      base[key] = /^[xy]axis/.test(key) ? { ...axis, ...value } : value;
    }
    return base;
  }

  function draw(id, traces, shape, displayModeBar) {
    const div = document.getElementById(id);
    if (div) Plotly.react(div, traces, shape, { ...settings, displayModeBar });
  }

  function equity() {
    const e = data.equity;
    const line = (name, y, color, width) => ({ name, x: e.t, y, mode: "lines", line: { color, width }, hovertemplate: "%{y:,.2f}" });
    draw("equity", [line("Buy and hold", e.hold, css("--hold"), 1.3), line("Equity", e.equity, css("--accent"), 1.8)],
      layout(340, { xaxis: { type: "date" }, yaxis: { title: { text: data.currency }, tickformat: ",~f" } }));
  }

  function drawdown() {
    const e = data.equity;
    draw("drawdown", [{ name: "Drawdown", x: e.t, y: e.drawdown, mode: "lines", fill: "tozeroy", hovertemplate: "%{y:.2f} %",
      line: { color: css("--down"), width: 1.2 }, fillcolor: `rgba(${css("--down-rgb")}, .18)` }],
      layout(190, { xaxis: { type: "date" }, yaxis: { ticksuffix: " %" }, showlegend: false }), false);
  }

  function candles() {
    const pick = document.getElementById("chart-pick");
    const chart = data.charts[pick ? Number(pick.value) : 0];
    if (!chart) return;
    const traces = [{ type: "candlestick", name: chart.name, x: chart.t, open: chart.o, high: chart.h, low: chart.l, close: chart.c,
      increasing: { line: { color: css("--up"), width: 1 } }, decreasing: { line: { color: css("--down"), width: 1 } }, hoverinfo: "x+y" }];
    let below = false;
    chart.lines.forEach((l, i) => {
      below = below || !l.overlay;
      traces.push({ name: l.name, x: chart.t, y: l.v, mode: "lines", yaxis: l.overlay ? "y" : "y2", hovertemplate: "%{y:,.6~g}",
        line: { color: lines[i % lines.length], width: 1.2 } });
    });
    // Many marks on a long period hide each other and the price: smaller then.
    const size = chart.exit.t.length > 300 ? 6 : 9;
    const marks = (name, m, symbol, color) => m.t.length && traces.push({ name, x: m.t, y: m.p, text: m.text, mode: "markers",
      hovertemplate: "%{text}", marker: { symbol, color, size: symbol === "x" ? size - 2 : size, line: { color: css("--card"), width: .5 } } });
    marks("Long entry", chart.long, "triangle-up", css("--up"));
    marks("Short entry", chart.short, "triangle-down", css("--down"));
    marks("Exit", chart.exit, "x", css("--soft"));
    const extra = { xaxis: { type: "date", rangeslider: { visible: false } }, yaxis: { domain: below ? [.28, 1] : [0, 1], tickformat: ",~r" },
      hovermode: "closest", dragmode: "pan" };
    if (below) extra.yaxis2 = { domain: [0, .22] };
    draw("candles", traces, layout(below ? 620 : 500, extra));
  }

  function histogram(id, values, color, unit) {
    draw(id, [{ type: "histogram", x: values, marker: { color }, hovertemplate: `%{x} %<br>%{y} ${unit}<extra></extra>` }],
      layout(250, { bargap: .05, hovermode: "closest", xaxis: { ticksuffix: " %" }, yaxis: { title: { text: unit } } }), false);
  }

  const charts = { equity, drawdown, candles,
    "trade-returns": () => histogram("trade-returns", data.trade_returns, css("--accent"), "trades"),
    "daily-returns": () => histogram("daily-returns", data.daily_returns, css("--hold"), "days") };
  // A chart is drawn when it comes near the window, so that the page opens at the cost of the first one or two.
  const drawn = new Set();
  const show = id => { drawn.add(id); charts[id](); };
  const seen = new IntersectionObserver(entries => {
    for (const e of entries.filter(e => e.isIntersecting)) {
      seen.unobserve(e.target);
      setTimeout(() => show(e.target.id));
    }
  }, { rootMargin: "150px" });
  const there = Object.keys(charts).filter(id => document.getElementById(id));
  there.forEach(id => seen.observe(document.getElementById(id)));
  addEventListener("beforeprint", () => there.filter(id => !drawn.has(id)).forEach(show));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach(id => charts[id]()));
  document.getElementById("chart-pick")?.addEventListener("change", candles);

  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const value = (row, i) => row.cells[i].dataset.v ?? row.cells[i].textContent;
    heads.forEach((head, i) => head.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach(h => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const order = (a, b) => head.classList.contains("n") ? a - b : String(a).localeCompare(String(b));
      const rows = [...body.rows].map(row => [value(row, i), row]).sort((a, b) => up ? order(a[0], b[0]) : order(b[0], a[0]));
      body.append(...rows.map(r => r[1]));
    }));
  }
  const filter = document.getElementById("filter");
  filter?.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase();
    for (const row of document.getElementById("trades").tBodies[0].rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
    }
  });
})();
