// How photos look under each way to colour them, on a light and on a dark page.
const SYMBOLS = {
  o: "circle", s: "square", "^": "triangle-up", D: "diamond", P: "cross", v: "triangle-down", X: "x", "*": "star",
  p: "pentagon", "<": "triangle-left", h: "hexagon", ">": "triangle-right",
};
const dark = matchMedia("(prefers-color-scheme: dark)");
const STOPS = ["#5b1a6b", "#3f4f8c", "#237f8c", "#2f9c6a", "#8db03a", "#d9b62c"]; // along viridis, legible on paper
const STEPS = 48;

// The colours are made for paper; on a dark page they are mixed with white.
function lit(hex) {
  if (!dark.matches) return hex;
  const channels = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return `#${channels.map((each) => Math.round(each + 0.34 * (255 - each)).toString(16).padStart(2, "0")).join("")}`;
}

// Light-dark() does not reach plotly, which wants plain colours.
function theme() {
  const probe = element("span", { hidden: true });
  document.body.append(probe);
  const found = {};
  for (const name of ["ink", "soft", "line", "madder", "indigo", "zari", "paper"]) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

function scaleRange(key) {
  let low = Infinity;
  let high = -Infinity;
  for (const number of cosineOf[key]) {
    if (number === NO_COSINE) continue;
    if (number < low) low = number;
    if (number > high) high = number;
  }
  return low < high ? [low, high] : [low - 1, low + 1];
}

function ramp(share) {
  const place = share * (STOPS.length - 1);
  const at = Math.min(Math.floor(place), STOPS.length - 2);
  const channel = (start) => {
    const [from, to] = [STOPS[at], STOPS[at + 1]].map((hex) => parseInt(hex.slice(start, start + 2), 16));
    return Math.round(from + (place - at) * (to - from)).toString(16).padStart(2, "0");
  };
  return lit(`#${channel(1)}${channel(3)}${channel(5)}`);
}

// Colour and marker of every photo, under the present way to colour.
let looks = null;
function dress() {
  const key = state.colour;
  if (key in SCALES) {
    const [low, high] = scaleRange(key);
    const steps = Array.from({ length: STEPS }, (_, step) => ramp(step / (STEPS - 1)));
    const none = lit("#8d857c");
    const pick = (number) =>
      number === NO_COSINE ? none : steps[Math.round(((number - low) / (high - low)) * (STEPS - 1))];
    looks = { colour: Array.from(cosineOf[key], pick), symbol: null };
    return;
  }
  const column = columns[key];
  const shades = column.colours.map(lit);
  const marks = (column.markers ?? []).map((marker) => SYMBOLS[marker]);
  const several = new Set(marks).size > 1;
  looks = {
    colour: Array.from(column.codes, (code) => shades[code]),
    symbol: several ? Array.from(column.codes, (code) => marks[code]) : null,
  };
}
