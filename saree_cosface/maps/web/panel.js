// The panel: how photos are coloured, the legend, and filters. The legend is the filter of the column in colour.
const SHAPES = {
  o: "M10 3a7 7 0 1 0 .01 0z", s: "M4 4h12v12H4z", "^": "M10 3l7.500 13h-15z", D: "M10 2l8 8-8 8-8-8z",
  P: "M7.500 3h5v4.500H17v5h-4.500V17h-5v-4.500H3v-5h4.500z", v: "M10 17L2.500 4h15z",
  X: "M6 2.500l4 4 4-4L17.500 6l-4 4 4 4-3.500 3.500-4-4-4 4L2.500 14l4-4-4-4z",
  "*": "M10 1.500l2.500 5.800 6.300.6-4.800 4.200 1.400 6.200L10 15l-5.400 3.300L6 12.100 1.200 7.900l6.300-.6z",
  p: "M10 2l8 6-3 9.500H5L2 8z", "<": "M3 10l13-7.500v15z", h: "M6 3h8l4 7-4 7H6l-4-7z", ">": "M17 10L4 2.500v15z",
};
const groups = {};

function swatch(colour, marker = "o") {
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.setAttribute("viewBox", "0 0 20 20");
  drawing.setAttribute("class", "swatch");
  drawing.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("d", SHAPES[marker]);
  shape.setAttribute("fill", lit(colour));
  drawing.append(shape);
  return drawing;
}

function buildPanel() {
  for (const [key, title] of [...FACETS.map((facet) => [facet, TITLES[facet]]), ...Object.entries(SCALES)]) {
    byId("colour").append(element("option", { value: key, textContent: title }));
  }
  for (const key of FACETS) {
    const [summary, rows] = [element("summary"), element("div", { className: "rows" })];
    const details = element("details", { className: "group" }, summary, rows);
    groups[key] = { details, summary, rows, boxes: null, numbers: [] };
    details.addEventListener("toggle", () => details.open && showGroup(key));
  }
  arrangeGroups();
}

// Rows are made when a group is first opened: a collection may come from hundreds of sources.
function fillGroup(key) {
  const [group, column] = [groups[key], columns[key]];
  const coloured = state.colour === key;
  group.boxes = [];
  group.numbers = [];
  group.coloured = coloured;
  const all = element("button", { type: "button", textContent: "All", className: "plain" });
  const none = element("button", { type: "button", textContent: "None", className: "plain" });
  all.addEventListener("click", () => hideIn(key, []));
  none.addEventListener("click", () => hideIn(key, column.values));
  const list = element("ul");
  let family = null;
  column.values.forEach((text, code) => {
    if (key === "craft" && column.values.length > 6 && column.groups[code] !== family) {
      family = column.groups[code];
      list.append(element("li", { className: "family", textContent: family || "Other labels", dir: "auto" }));
    }
    const box = element("input", { type: "checkbox" });
    const number = element("span", { className: "n" });
    const name = element("span", { className: "name", textContent: column.names[code], title: column.names[code] });
    name.dir = "auto";
    const only = element("button", {
      type: "button", className: "plain only", textContent: "only", data: { "aria-label": `only ${column.names[code]}` },
    });
    box.addEventListener("change", () => {
      if (box.checked) state.hidden[key].delete(text);
      else state.hidden[key].add(text);
      changed();
    });
    only.addEventListener("click", () => hideIn(key, column.values.filter((other) => other !== text)));
    const mark = coloured ? swatch(column.colours[code], column.markers?.[code]) : null;
    list.append(element("li", {}, element("label", {}, box, mark, name), only, number));
    group.boxes.push(box);
    group.numbers.push(number);
  });
  group.rows.replaceChildren(element("div", { className: "row tools" }, all, none), list);
}

function hideIn(key, texts) {
  state.hidden[key] = new Set(texts);
  changed();
}

function showGroup(key) {
  const group = groups[key];
  if (!group.boxes || group.coloured !== (state.colour === key)) fillGroup(key);
  columns[key].values.forEach((text, code) => {
    group.boxes[code].checked = !state.hidden[key].has(text);
    group.numbers[code].textContent = facetCounts[key][code].toLocaleString("en");
    group.numbers[code].closest("li").classList.toggle("gone", facetCounts[key][code] === 0);
  });
}

function showPanel() {
  for (const key of FACETS) {
    const [all, hidden] = [columns[key].values.length, state.hidden[key].size];
    groups[key].summary.textContent = TITLES[key];
    groups[key].summary.append(element("span", { className: "n", textContent: hidden ? `${all - hidden} of ${all}` : all }));
    if (groups[key].details.open) showGroup(key);
  }
  byId("outliers").checked = state.outliers;
  byId("outliers-count").textContent = facetCounts.outliers.toLocaleString("en");
  byId("near-miss").hidden = !guessed.length;
  byId("near-miss").textContent = `Nothing is spelt so. Nearest: ${guessed.join(", ")}.`;
  byId("clear").disabled = !filtered();
  byId("select-shown").disabled = !shown.length;
  if (byId("search").value !== state.query) byId("search").value = state.query;
  byId("count").textContent = shown.length === COUNT
    ? count(COUNT, "photo")
    : `${shown.length.toLocaleString("en")} of ${count(COUNT, "photo")}`;
}

function arrangeGroups() {
  byId("colour").value = state.colour;
  for (const key of FACETS) {
    const coloured = key === state.colour;
    groups[key].boxes = null; // with swatches now, or without
    groups[key].details.open = coloured;
    if (!coloured) byId("groups").append(groups[key].details);
  }
  if (state.colour in SCALES) {
    const [low, high] = scaleRange(state.colour);
    const stops = Array.from({ length: 12 }, (_, at) => ramp(at / 11)).join(", ");
    const bar = element("div", { className: "ramp" });
    bar.style.background = `linear-gradient(to right, ${stops})`;
    const ends = [low, (low + high) / 2, high].map((end) => element("span", { textContent: cosineText(Math.round(end), 2) }));
    byId("legend").replaceChildren(bar, element("div", { className: "row ends" }, ...ends));
  } else {
    byId("legend").replaceChildren(groups[state.colour].details);
  }
  byId("filters").hidden = !byId("groups").children.length;
}
