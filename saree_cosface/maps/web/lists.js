// Photos as lists: the selection with its CSV, and a table of all that is shown, made page by page.
const PAGE = 100;
const FORMULA = /^[=+\-@＝＋－＠\t\r\n]/; // what a spreadsheet would run
const CSV = ["path", "craft", "source", "piece", "view", "split", "named", "verdict", "cosine", "own_cosine"];

function cell(text) {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function csv(photos) {
  const rows = photos.map((photo) => CSV.map((name) => {
    if (name === "path") return cell(data.path[photo]);
    if (!(name in cosineOf)) return cell(value(name, photo));
    const number = cosineOf[name][photo];
    return number === NO_COSINE ? "" : (number / 10000).toFixed(4);
  }).join(","));
  return `${[CSV.join(","), ...rows].join("\r\n")}\r\n`;
}

function download(text, name) {
  // The mark at the start tells spreadsheets that the text is UTF-8.
  const address = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element("textarea", { value: text, className: "unseen" });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

function photoList(photos) {
  const list = element("ul", { className: "photos" });
  const more = element("button", { type: "button", className: "plain" });
  let made = 0;
  const go = () => {
    for (const photo of photos.slice(made, made + 60)) {
      const words = element("span", {}, element("b", { textContent: nameOf("craft", photo), dir: "auto" }),
        element("small", { textContent: data.path[photo], dir: "auto" }));
      list.append(element("li", {}, photoButton(photo, words)));
    }
    made += 60;
    more.hidden = made >= photos.length;
    more.textContent = `Show more of ${photos.length.toLocaleString("en")}`;
  };
  more.addEventListener("click", go);
  go();
  return [list, more];
}

function showSelection() {
  const section = byId("selection");
  section.hidden = !state.selected.size;
  if (section.hidden) {
    section.replaceChildren();
    return;
  }
  const photos = [...state.selected].sort((a, b) => a - b);
  const counts = new Map();
  for (const photo of photos) counts.set(nameOf("craft", photo), (counts.get(nameOf("craft", photo)) ?? 0) + 1);
  const byCraft = [...counts].sort((a, b) => b[1] - a[1]);
  const button = (text, act, kind = "") => {
    const made = element("button", { type: "button", textContent: text, className: kind });
    made.addEventListener("click", () => act(made));
    return made;
  };
  const close = button("×", () => select([]), "close");
  close.title = "Clear the selection (Esc)";
  close.setAttribute("aria-label", "Clear the selection");
  section.replaceChildren(
    close,
    element("h2", { id: "selection-title", textContent: `${count(photos.length, "photo")} selected` }),
    element("ul", { className: "tally" }, ...byCraft.map(([name, number]) => element("li", { dir: "auto" },
      element("span", { textContent: name }), element("span", { className: "n", textContent: number.toLocaleString("en") })))),
    element("div", { className: "row buttons" },
      button("Download CSV", () => download(csv(photos), "selection.csv"), "first"),
      button("Copy paths", async (made) => {
        await copy(photos.map((photo) => data.path[photo]).join("\n"));
        made.textContent = "Copied";
        say(`${count(photos.length, "path")} copied`);
        setTimeout(() => { made.textContent = "Copy paths"; }, 1600);
      })),
    ...photoList(photos));
}

const TABLE = [
  ["Photo", (photo) => data.path[photo]],
  ["Label", (photo) => nameOf("craft", photo)],
  ["Nearest tradition", (photo) => nameOf("named", photo)],
  ["Cosine", (photo) => cosineOf.cosine[photo], "n"],
  ["To its label", (photo) => cosineOf.own_cosine[photo], "n"],
  ["Verdict", (photo) => (known("verdict", photo) ? nameOf("verdict", photo) : "")],
  ["Source", (photo) => (known("source", photo) ? nameOf("source", photo) : "")],
  ["View", (photo) => (known("view", photo) ? nameOf("view", photo) : "")],
  ["Part", (photo) => nameOf("split", photo)],
  ["Outlier", (photo) => (outlier[photo] ? "yes" : "")],
];
const table = { column: -1, down: false, start: 0 };
const compare = new Intl.Collator("en", { numeric: true }).compare;

function showTable() {
  if (!byId("list").open) return;
  const photos = Array.from(shown);
  if (table.column >= 0) {
    const [, get, kind] = TABLE[table.column];
    const order = kind ? (a, b) => get(a) - get(b) : (a, b) => compare(get(a), get(b));
    photos.sort((a, b) => (table.down ? order(b, a) : order(a, b)));
  }
  table.start = Math.min(table.start, Math.max(0, Math.floor((photos.length - 1) / PAGE) * PAGE));
  const head = TABLE.map(([name, , kind], column) => {
    const sorted = table.column === column;
    const button = element("button", { type: "button", className: "plain",
      textContent: `${name}${sorted ? (table.down ? " ▾" : " ▴") : ""}` });
    button.addEventListener("click", () => {
      Object.assign(table, { column, down: sorted && !table.down, start: 0 });
      showTable();
      byId("table").querySelectorAll("thead button")[column].focus();
    });
    const data = { scope: "col", "aria-sort": sorted ? (table.down ? "descending" : "ascending") : "none" };
    return element("th", { className: kind ? "number" : "", data }, button);
  });
  const rows = photos.slice(table.start, table.start + PAGE).map((photo) => {
    const open = element("button", { type: "button", className: "plain", textContent: data.path[photo], dir: "auto" });
    open.addEventListener("click", () => pin(photo, true));
    const others = TABLE.slice(1).map(([, get, kind]) => element("td", { className: kind ? "number" : "", dir: "auto",
      textContent: kind ? (get(photo) === NO_COSINE ? "" : cosineText(get(photo))) : get(photo) }));
    return element("tr", {}, element("th", { data: { scope: "row" } }, open), ...others);
  });
  const turn = (text, by) => {
    const button = element("button", { type: "button", textContent: text });
    button.disabled = table.start + by < 0 || table.start + by >= photos.length;
    button.addEventListener("click", () => {
      table.start += by;
      showTable();
      byId("table").querySelector("button").focus({ preventScroll: true });
    });
    return button;
  };
  const last = Math.min(table.start + PAGE, photos.length);
  byId("table").replaceChildren(
    element("div", { className: "row" },
      element("span", { textContent: photos.length
        ? `${(table.start + 1).toLocaleString("en")} to ${last.toLocaleString("en")} of ${count(photos.length, "photo")}`
        : "No photo is shown." }),
      element("span", {}, turn("Before", -PAGE), " ", turn("Next", PAGE))),
    element("div", { className: "scroll", tabIndex: 0, data: { role: "region", "aria-label": "Photos shown" } },
      element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows))));
}
