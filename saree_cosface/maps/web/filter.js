// Which photos are shown: search, filters and outliers, kept in the address so that a view can be sent to somebody.
const state = {
  colour: "craft",
  hidden: Object.fromEntries(FACETS.map((key) => [key, new Set()])),
  query: "",
  outliers: false,
  names: true,
  pinned: -1,
  current: -1,
  selected: new Set(),
};
let shown = Int32Array.from({ length: COUNT }, (_, photo) => photo);
let facetCounts = {};
let guessed = []; // crafts spelt nearly as the query, where nothing is spelt so

const SAREE = new Set(["saree", "sarees", "sari", "saris"]);
const FOUND_IN = ["craft", "source", "piece"];
let haystacks = null;

// A photo is found where the query stands in its path, source, piece or a spelling of its craft; where it stands nowhere
// as one, where each of its words does; failing that, where a spelling of the craft is nearly so. "Kanchi puram" finds
// Kanchipuram: a craft also matches the query without its spaces.
function searched(query) {
  const words = plain(query).split(/\s+/).filter((word) => word && !SAREE.has(word));
  if (!words.length) return null;
  haystacks ??= {
    path: data.path.map(plain),
    ...Object.fromEntries(
      FOUND_IN.map((key) => [key, (key === "craft" ? columns.craft.search : columns[key].values).map(plain)]),
    ),
    squashed: columns.craft.search.map((text) => plain(text).replace(/[^\p{L}\p{N}\n]/gu, "")),
  };
  const squashed = words.join("").replace(/[^\p{L}\p{N}]/gu, "");
  const whole = haystacks.squashed.map((text) => squashed !== "" && text.includes(squashed));
  const holds = (word) => {
    const hits = FOUND_IN.map((key) => haystacks[key].map((text) => text.includes(word)));
    return (photo) =>
      FOUND_IN.some((key, at) => hits[at][columns[key].codes[photo]]) || haystacks.path[photo].includes(word);
  };
  const [phrase, each] = [holds(plain(query).trim()), words.map(holds)];
  for (const found of [
    (photo) => whole[columns.craft.codes[photo]] || phrase(photo),
    (photo) => each.every((word) => word(photo)),
  ]) {
    for (let photo = 0; photo < COUNT; photo++) if (found(photo)) return found;
  }
  const likeness = haystacks.squashed.map((text) => Math.max(...text.split("\n").map((name) => alike(squashed, name))));
  const best = Math.max(...likeness);
  if (best < 0.6) return () => false;
  const near = likeness.map((degree) => degree > best - 0.05);
  guessed = columns.craft.names.filter((_, code) => near[code]);
  return (photo) => near[columns.craft.codes[photo]];
}

// Dice's coefficient of the pairs of letters, 0 to 1.
function alike(one, other) {
  const pairs = (text) => Array.from({ length: Math.max(text.length - 1, 0) }, (_, at) => text.slice(at, at + 2));
  const [left, right] = [pairs(one), pairs(other)];
  const all = left.length + right.length;
  let common = 0;
  for (const pair of left) {
    const at = right.indexOf(pair);
    if (at < 0) continue;
    right.splice(at, 1);
    common++;
  }
  return all ? (2 * common) / all : 0;
}

// Photos that pass everything are shown. Of those that one filter alone keeps away, that filter still counts: its
// figures say what a tick would bring.
function sift() {
  guessed = [];
  const find = searched(state.query);
  const codes = FACETS.map((key) => columns[key].codes);
  const keep = FACETS.map((key) => columns[key].values.map((text) => !state.hidden[key].has(text)));
  const counts = FACETS.map((key) => new Int32Array(columns[key].values.length));
  const passed = [];
  let odd = 0;
  for (let photo = 0; photo < COUNT; photo++) {
    if (find && !find(photo)) continue;
    let failed = -1;
    let failures = 0;
    for (let at = 0; at < codes.length; at++) {
      if (!keep[at][codes[at][photo]]) {
        failed = at;
        failures++;
      }
    }
    if (!failures && outlier[photo]) odd++;
    if (state.outliers && !outlier[photo]) continue;
    if (!failures) {
      passed.push(photo);
      for (let at = 0; at < codes.length; at++) counts[at][codes[at][photo]]++;
    } else if (failures === 1) {
      counts[failed][codes[failed][photo]]++;
    }
  }
  shown = Int32Array.from(passed);
  facetCounts = Object.fromEntries(FACETS.map((key, at) => [key, counts[at]]));
  facetCounts.outliers = odd;
}

function filtered() {
  return state.query.trim() !== "" || state.outliers || FACETS.some((key) => state.hidden[key].size);
}

function showAll() {
  for (const key of FACETS) state.hidden[key].clear();
  state.query = "";
  state.outliers = false;
}

let written = "";
function writeAddress() {
  const parts = new URLSearchParams();
  if (state.colour !== "craft") parts.set("colour", state.colour);
  if (state.query.trim()) parts.set("find", state.query);
  if (state.outliers) parts.set("outliers", "1");
  if (state.pinned >= 0) parts.set("pinned", data.path[state.pinned]);
  for (const key of FACETS) {
    const hidden = state.hidden[key];
    if (!hidden.size) continue;
    const kept = columns[key].values.filter((text) => !hidden.has(text));
    // Whichever list is shorter; a view of hundreds of ticks is not worth an address of pages.
    const [word, list] = hidden.size <= kept.length ? ["hide", [...hidden]] : ["only", kept];
    if (list.length <= 40) parts.set(`${word}.${key}`, JSON.stringify(list));
  }
  written = parts.toString();
  try {
    history.replaceState(null, "", `#${written}`);
  } catch {
    // Some browsers refuse this for files; the view then has no address.
  }
}

function readAddress() {
  const text = location.hash.slice(1);
  if (text === written) return false;
  written = text;
  const parts = new URLSearchParams(text);
  showAll();
  const colour = parts.get("colour");
  state.colour = FACETS.includes(colour) || colour in SCALES ? colour : "craft";
  state.query = parts.get("find") ?? "";
  state.outliers = parts.has("outliers");
  state.pinned = parts.has("pinned") ? data.path.indexOf(parts.get("pinned")) : -1;
  for (const key of FACETS) {
    for (const word of ["hide", "only"]) {
      let list;
      try {
        list = JSON.parse(parts.get(`${word}.${key}`) ?? "null");
      } catch {
        continue;
      }
      if (!Array.isArray(list)) continue;
      const named = new Set(list);
      for (const text of columns[key].values) if (named.has(text) === (word === "hide")) state.hidden[key].add(text);
    }
  }
  return true;
}
