// What happens when: pointer, keys, panel and address change the state; the state is then shown everywhere.
const map = byId("map");

function say(text) {
  byId("live").textContent = text;
}

async function changed() {
  sift();
  if (state.current >= 0 && !shown.includes(state.current)) leave();
  showPanel();
  showTable();
  writeAddress();
  say(`${count(shown.length, "photo")} of ${COUNT.toLocaleString("en")} shown`);
  await redraw();
}

async function colourBy(key) {
  state.colour = key;
  dress();
  arrangeGroups();
  showPanel();
  writeAddress();
  await redraw();
}

async function pin(photo, focus = false) {
  state.pinned = photo;
  hoverCard.hidden = true; // the panel says more, and the lines to the neighbours are to be seen
  showPinned();
  writeAddress();
  if (photo >= 0) {
    say(`Pinned: ${sentence(photo)}`);
    if (focus) {
      // The heading is read out, and Tab goes on to the neighbours.
      byId("panel").scrollTop = 0;
      byId("pinned-title").focus({ preventScroll: getComputedStyle(byId("panel")).overflowY !== "visible" });
    }
    await bringIntoView(photo);
  }
  await redrawPin();
}

async function select(photos) {
  state.selected = new Set(photos);
  showSelection();
  say(state.selected.size ? `${count(state.selected.size, "photo")} selected` : "Selection cleared");
  await redrawSelection();
}

function leave() {
  state.current = -1;
  hideCard();
}

async function walk(dx, dy) {
  const next = step(dx, dy);
  if (next < 0) {
    say(shown.length ? "No photo further that way" : "No photo is shown");
    return;
  }
  state.current = next;
  await bringIntoView(next);
  showCard(next);
  say(sentence(next));
}

function dragmode(mode) {
  for (const name of ["pan", "lasso", "select"]) byId(`tool-${name}`).setAttribute("aria-pressed", name === mode);
  hideCard();
  return Plotly.relayout(plot, { dragmode: mode });
}

function whole() {
  return view([...home.x], [...home.y]);
}

const ON_MAP = {
  ArrowLeft: () => walk(-1, 0),
  ArrowRight: () => walk(1, 0),
  ArrowUp: () => walk(0, 1),
  ArrowDown: () => walk(0, -1),
  Enter: () => state.current >= 0 && pin(state.current),
  s: () => {
    if (state.current < 0) return undefined;
    const chosen = new Set(state.selected);
    if (!chosen.delete(state.current)) chosen.add(state.current);
    return select(chosen);
  },
  "+": () => zoom(1.5),
  "=": () => zoom(1.5),
  "-": () => zoom(1 / 1.5),
  "0": whole,
};

function keyed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const writing = event.target.matches("input:not([type=checkbox]), select, textarea");
  if (event.key === "Escape") {
    if (event.target === byId("search") && state.query) {
      state.query = "";
      changed();
    } else if (!hoverCard.hidden || state.current >= 0) leave();
    else if (state.pinned >= 0) pin(-1);
    else if (state.selected.size) select([]);
    else return;
  } else if (writing) return;
  else if (event.key === "/") byId("search").focus();
  else if (event.key === "?") byId("help").showModal();
  else if (event.target === map && event.key in ON_MAP) ON_MAP[event.key]();
  else return;
  event.preventDefault();
}

function later(act, wait) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, wait);
  };
}

function listen() {
  document.addEventListener("keydown", keyed);
  byId("search").addEventListener("input", later(() => {
    state.query = byId("search").value;
    changed();
  }, 120));
  byId("outliers").addEventListener("change", () => {
    state.outliers = byId("outliers").checked;
    changed();
  });
  byId("clear").addEventListener("click", () => {
    showAll();
    changed();
  });
  byId("select-shown").addEventListener("click", () => select(shown));
  byId("colour").addEventListener("change", () => colourBy(byId("colour").value));
  byId("list").addEventListener("toggle", showTable);
  for (const mode of ["pan", "lasso", "select"]) byId(`tool-${mode}`).addEventListener("click", () => dragmode(mode));
  byId("tool-in").addEventListener("click", () => zoom(1.5));
  byId("tool-out").addEventListener("click", () => zoom(1 / 1.5));
  byId("tool-reset").addEventListener("click", whole);
  byId("tool-names").addEventListener("click", () => {
    state.names = !state.names;
    byId("tool-names").setAttribute("aria-pressed", state.names);
    refit();
  });
  byId("tool-help").addEventListener("click", () => byId("help").showModal());
  map.addEventListener("blur", () => state.current >= 0 && leave());
  map.addEventListener("pointerleave", () => state.current < 0 && hideCard());
  // A click on the map makes it the target of the keys.
  map.addEventListener("pointerdown", () => map.focus({ preventScroll: true }), true);

  const photoAt = (event) => {
    const point = event.points?.find((each) => each.curveNumber === PHOTOS);
    return point ? shown[point.pointNumber] : -1;
  };
  plot.on("plotly_hover", (event) => {
    const photo = photoAt(event);
    if (photo < 0) return;
    state.current = -1; // the pointer takes over from the keys
    showCard(photo);
  });
  plot.on("plotly_unhover", () => state.current < 0 && hideCard());
  plot.on("plotly_click", (event) => {
    const photo = photoAt(event);
    if (photo >= 0) pin(photo);
  });
  plot.on("plotly_selected", (event) => {
    if (!event) return;
    const photos = event.points.filter((each) => each.curveNumber === PHOTOS).map((each) => shown[each.pointNumber]);
    Plotly.relayout(plot, { selections: [] }).then(() => select(photos));
  });
  const settle = later(refit, 140);
  const follow = () => {
    if (state.current >= 0) moveCard(state.current);
    else hideCard();
  };
  plot.on("plotly_relayouting", follow);
  plot.on("plotly_relayout", (change) => {
    if (!Object.keys(change).some((key) => key.includes("axis") || key === "autosize")) return;
    follow();
    settle();
  });
  new ResizeObserver(later(() => {
    const { width, height } = plot._fullLayout;
    const same = Math.abs(width - plot.clientWidth) < 1 && Math.abs(height - plot.clientHeight) < 1;
    if (plot.clientWidth && !same) Plotly.Plots.resize(plot).then(settle);
  }, 80)).observe(map);
  window.addEventListener("hashchange", async () => {
    if (!readAddress()) return;
    await colourBy(state.colour);
    await changed();
    await pin(state.pinned);
  });
  dark.addEventListener("change", async () => {
    await Plotly.restyle(plot, { "marker.color": theme().soft }, [DUST]);
    await colourBy(state.colour);
  });
}

async function open() {
  map.setAttribute("aria-label", `Map of ${count(COUNT, "photo")}`);
  readAddress();
  sift();
  buildPanel();
  showPanel();
  await drawPlot();
  listen();
  if (state.pinned >= 0) await pin(state.pinned);
  document.body.dataset.ready = "yes";
}

open();
