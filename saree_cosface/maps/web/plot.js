// The map itself, drawn by plotly: dust of all photos, the photos shown, rings, lines to neighbours, the traditions.
const plot = byId("plot");
const [DUST, PHOTOS, RINGS, LINES, NEAR, TRADITIONS] = [0, 1, 2, 3, 4, 5];
const home = (() => {
  const reach = (values, more) => {
    let [low, high] = [Infinity, -Infinity];
    for (const each of [...more, ...values]) {
      if (each < low) low = each;
      if (each > high) high = each;
    }
    const margin = 0.05 * (high - low) || 1;
    return [low - margin, high + margin];
  };
  const [x, y] = [reach(xs, data.prototypes.x), reach(ys, data.prototypes.y)];
  return { x, y: [y[0], y[1] + 0.07 * (y[1] - y[0])] }; // room for the tools
})();

function axes() {
  const layout = plot._fullLayout;
  return { x: layout.xaxis, y: layout.yaxis };
}

// Points grow with the zoom, though less than the map does: near to, cloth is easier to hit; far off, none hides others.
function pointSize() {
  const base = COUNT <= 600 ? 9.5 : COUNT <= 3000 ? 7.5 : COUNT <= 8000 ? 6 : 4.6;
  const scale = plot._fullLayout ? (home.y[1] - home.y[0]) / Math.abs(axes().y.range[1] - axes().y.range[0]) : 1;
  const narrow = plot.clientWidth < 500 ? 0.8 : 1;
  return narrow * base * Math.min(Math.max(scale, 0.9), 16) ** 0.35;
}

function webgl() {
  try {
    return Boolean(document.createElement("canvas").getContext("webgl"));
  } catch {
    return false;
  }
}

function photoTrace() {
  const at = Array.from(shown);
  return {
    x: at.map((photo) => xs[photo]),
    y: at.map((photo) => ys[photo]),
    marker: {
      color: at.map((photo) => looks.colour[photo]),
      symbol: looks.symbol ? at.map((photo) => looks.symbol[photo]) : "circle",
      size: pointSize(),
      opacity: COUNT <= 3000 ? 0.88 : 0.75,
      line: { width: 0 },
    },
    selectedpoints: state.selected.size ? at.flatMap((photo, row) => (state.selected.has(photo) ? [row] : [])) : null,
    visible: at.length > 0,
  };
}

function ringTrace() {
  const odd = Array.from(shown).filter((photo) => outlier[photo]);
  return {
    x: odd.map((photo) => xs[photo]),
    y: odd.map((photo) => ys[photo]),
    marker: { symbol: "circle-open", size: pointSize() + 5, color: theme().ink, opacity: 0.65, line: { width: 1.2 } },
    visible: odd.length > 0,
  };
}

function pinTraces() {
  const [near, colours] = [state.pinned < 0 ? [] : neighboursOf(state.pinned), theme()];
  const [x, y] = [[], []];
  for (const { photo } of near) {
    x.push(xs[state.pinned], xs[photo], null);
    y.push(ys[state.pinned], ys[photo], null);
  }
  const points = state.pinned < 0 ? [] : [state.pinned, ...near.map((each) => each.photo)];
  return [
    { x, y, line: { color: colours.ink, width: 1.1 }, opacity: 0.55, visible: x.length > 0 },
    {
      x: points.map((photo) => xs[photo]),
      y: points.map((photo) => ys[photo]),
      marker: {
        symbol: "circle-open",
        size: points.map((_, at) => pointSize() + (at ? 6 : 12)),
        color: points.map((_, at) => (at ? colours.ink : colours.madder)),
        line: { width: points.map((_, at) => (at ? 1.4 : 3)) },
      },
      visible: points.length > 0,
    },
  ];
}

// Names of traditions where they have room: the most photographed first, none over another.
function traditionTrace() {
  const colours = theme();
  const all = data.prototypes;
  const shownOf = new Map(columns.craft.values.map((text, code) => [text, facetCounts.craft[code]]));
  const rows = all.craft.flatMap((craft, at) => (state.hidden.craft.has(craft) ? [] : [at]));
  const taken = [];
  const text = new Map();
  const { x, y } = axes();
  for (const at of [...rows].sort((a, b) => (shownOf.get(all.craft[b]) ?? 0) - (shownOf.get(all.craft[a]) ?? 0))) {
    const name = all.name[at].length > 26 ? `${all.name[at].slice(0, 25)}…` : all.name[at];
    const [left, top] = [x.l2p(all.x[at]), y.l2p(all.y[at])];
    const box = [left - 3.9 * name.length, top - 26, left + 3.9 * name.length, top - 6];
    if (!state.names || box[0] < 0 || box[2] > x._length || box[1] < 44) continue;
    if (taken.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3])) continue;
    taken.push(box);
    text.set(at, name.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;"));
  }
  return {
    x: rows.map((at) => all.x[at]),
    y: rows.map((at) => all.y[at]),
    text: rows.map((at) => text.get(at) ?? ""),
    textfont: { color: colours.ink },
    marker: {
      symbol: "diamond-tall",
      size: 11,
      color: rows.map((at) => lit(all.colour[at])),
      line: { color: colours.paper, width: 1.5 },
    },
    visible: rows.length > 0,
  };
}

function neighboursOf(photo) {
  const found = [];
  for (let at = photo * NEAREST; at < (photo + 1) * NEAREST; at++) {
    if (neighbourRows[at] >= 0) found.push({ photo: neighbourRows[at], cosine: neighbourCosines[at] });
  }
  return found;
}

async function drawPlot() {
  const [type, colours] = [webgl() ? "scattergl" : "scatter", theme()];
  const quiet = { hoverinfo: "skip", showlegend: false, mode: "markers" };
  dress();
  const traces = [];
  traces[DUST] = {
    ...quiet, type, x: xs, y: ys, marker: { color: colours.soft, size: 3, opacity: 0.22, line: { width: 0 } },
  };
  traces[PHOTOS] = {
    ...quiet, type, ...photoTrace(), hoverinfo: "none", unselected: { marker: { opacity: 0.13 } },
    selected: { marker: { opacity: 1 } },
  };
  traces[RINGS] = { ...quiet, type, ...ringTrace() };
  traces[LINES] = { ...quiet, type: "scatter", mode: "lines", x: [], y: [] };
  traces[NEAR] = { ...quiet, type: "scatter", x: [], y: [] };
  traces[TRADITIONS] = {
    ...quiet, type: "scatter", mode: "markers+text", x: [], y: [], textposition: "top center", cliponaxis: true,
  };
  const axis = { visible: false, zeroline: false };
  const layout = {
    margin: { l: 0, r: 0, t: 0, b: 0 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: 'system-ui, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif', size: 13 },
    dragmode: "pan",
    hovermode: "closest",
    hoverdistance: 14,
    showlegend: false,
    xaxis: { ...axis, range: [...home.x] },
    yaxis: { ...axis, range: [...home.y], scaleanchor: "x" },
    newselection: { line: { color: colours.madder, width: 1.6, dash: "dot" } },
    activeselection: { fillcolor: colours.madder, opacity: 0.08 },
  };
  const config = {
    displayModeBar: false, displaylogo: false, scrollZoom: true, responsive: false, doubleClick: "reset",
    showTips: false, plotlyServerURL: "",
  };
  await Plotly.newPlot(plot, traces, layout, config);
  fitted = pointSize();
  await redraw();
}

// Plotly wants each property on its own, as lists with one entry a trace.
function flat(updates) {
  const merged = {};
  updates.forEach((update, at) => {
    const walk = (part, prefix) => {
      for (const [key, entry] of Object.entries(part)) {
        const nested = entry !== null && typeof entry === "object" && !Array.isArray(entry);
        if (nested) walk(entry, `${prefix}${key}.`);
        else (merged[prefix + key] ??= Array(updates.length).fill(undefined))[at] = entry;
      }
    };
    walk(update, "");
  });
  return merged;
}

function restyle(parts) {
  const rows = Object.keys(parts).map(Number);
  return Plotly.restyle(plot, flat(rows.map((row) => parts[row])), rows);
}

async function redraw() {
  const [lines, near] = pinTraces();
  await restyle({
    [PHOTOS]: photoTrace(), [RINGS]: ringTrace(), [LINES]: lines, [NEAR]: near, [TRADITIONS]: traditionTrace(),
  });
}

async function redrawPin() {
  const [lines, near] = pinTraces();
  await restyle({ [LINES]: lines, [NEAR]: near });
}

// Plotly takes names and rings for things that a lasso leaves out as well; they are given back.
async function redrawSelection() {
  const { selectedpoints } = photoTrace();
  const whole = [DUST, RINGS, LINES, NEAR, TRADITIONS].map((row) => [row, { selectedpoints: null }]);
  await restyle({ [PHOTOS]: { selectedpoints }, ...Object.fromEntries(whole) });
}

// After a zoom: points of another size, names where there is room now.
let fitted = 0;
async function refit() {
  const size = pointSize();
  const parts = { [TRADITIONS]: traditionTrace() };
  if (Math.abs(size / fitted - 1) > 0.04) {
    fitted = size;
    parts[PHOTOS] = { marker: { size } };
    parts[RINGS] = { marker: { size: size + 5 } };
    [, parts[NEAR]] = pinTraces();
  }
  await restyle(parts);
}

function place(photo) {
  const { x, y } = axes();
  return [x._offset + x.l2p(xs[photo]), y._offset + y.l2p(ys[photo])];
}

function view(xRange, yRange) {
  return Plotly.relayout(plot, { "xaxis.range": xRange, "yaxis.range": yRange });
}

function zoom(factor) {
  const { x, y } = axes();
  const [cx, cy] = state.current >= 0 && inView(state.current)
    ? [xs[state.current], ys[state.current]]
    : [(x.range[0] + x.range[1]) / 2, (y.range[0] + y.range[1]) / 2];
  const around = (range, centre) => range.map((end) => centre + (end - centre) / factor);
  return view(around(x.range, cx), around(y.range, cy));
}

function inView(photo) {
  const [left, top] = place(photo);
  return left > 12 && top > 12 && left < plot.clientWidth - 12 && top < plot.clientHeight - 12;
}

async function bringIntoView(photo) {
  if (inView(photo)) return;
  const { x, y } = axes();
  const centred = (range, centre) => [centre - (range[1] - range[0]) / 2, centre + (range[1] - range[0]) / 2];
  await view(centred(x.range, xs[photo]), centred(y.range, ys[photo]));
}

// The nearest shown photo within an eighth of a turn of the direction, or failing that the nearest on that side.
function step(dx, dy) {
  if (!shown.length) return -1;
  const { x, y } = axes();
  const [cx, cy] = state.current >= 0
    ? [xs[state.current], ys[state.current]]
    : [(x.range[0] + x.range[1]) / 2, (y.range[0] + y.range[1]) / 2];
  let [best, least, wide, leastWide] = [-1, Infinity, -1, Infinity];
  for (const photo of shown) {
    if (photo === state.current) continue;
    const [px, py] = [xs[photo] - cx, ys[photo] - cy];
    const [along, across] = [px * dx + py * dy, Math.abs(px * dy - py * dx)];
    const far = Math.hypot(px, py);
    if (state.current < 0) {
      if (far < least) [best, least] = [photo, far];
    } else if (along > 0) {
      const cost = along + 2 * across;
      if (across <= along && cost < least) [best, least] = [photo, cost];
      if (cost < leastWide) [wide, leastWide] = [photo, cost];
    }
  }
  return best >= 0 ? best : wide;
}
