// The data of the page as typed arrays, and how a photo is put into words. Texts come from outside: they only ever
// become text nodes, never markup.
const data = JSON.parse(byId("data").textContent);
const COUNT = data.count;
const NEAREST = data.nearest;
const NO_COSINE = -32768;

function byId(id) {
  return document.getElementById(id);
}

function numbers(text, Kind) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Kind(bytes.buffer);
}

const columns = data.columns;
for (const column of Object.values(columns)) column.codes = numbers(column.codes, Int32Array);
const xs = numbers(data.x, Float32Array);
const ys = numbers(data.y, Float32Array);
const outlier = numbers(data.outlier, Uint8Array);
const cosineOf = { cosine: numbers(data.cosine, Int16Array), own_cosine: numbers(data.own_cosine, Int16Array) };
const neighbourRows = numbers(data.neighbours, Int32Array);
const neighbourCosines = numbers(data.cosines, Int16Array);
const pictureOf = numbers(data.picture, Int32Array);

// What photos can be coloured and filtered by; a column of one value says nothing.
const TITLES = { craft: "Craft", family: "Family", source: "Source", view: "View", verdict: "Verdict", split: "Part" };
const FACETS = Object.keys(TITLES).filter((key) => key === "craft" || columns[key].values.length > 1);
const SCALES = { cosine: "Cosine to the nearest tradition", own_cosine: "Cosine to the label" };

function value(column, photo) {
  return columns[column].values[columns[column].codes[photo]];
}

function nameOf(column, photo) {
  return columns[column].names[columns[column].codes[photo]];
}

function known(column, photo) {
  return value(column, photo) !== "";
}

function cosineText(number, digits = 3) {
  return number === NO_COSINE ? "none" : (number / 10000).toFixed(digits).replace("-", "−");
}

function misnamed(photo) {
  return known("craft", photo) && known("named", photo) && value("craft", photo) !== value("named", photo);
}

function sentence(photo) {
  const words = [nameOf("craft", photo)];
  if (known("source", photo)) words.push(`source ${nameOf("source", photo)}`);
  words.push(`nearest tradition ${nameOf("named", photo)}`, `cosine ${cosineText(cosineOf.cosine[photo], 2)}`);
  if (outlier[photo]) words.push("outlier");
  return words.join(", ");
}

// Pictures are cut out of their block when the first is asked for, not while the page opens.
let pictureLines = null;
function pictureUri(photo) {
  if (pictureOf[photo] < 0) return "";
  pictureLines ??= byId("pictures").textContent.split("\n");
  return `data:image/webp;base64,${pictureLines[pictureOf[photo]]}`;
}

function element(tag, properties = {}, ...children) {
  const { data: attributes, ...others } = properties;
  const made = Object.assign(document.createElement(tag), others);
  for (const [name, text] of Object.entries(attributes ?? {})) made.setAttribute(name, text);
  made.append(...children.filter((child) => child !== null));
  return made;
}

function picture(photo, alt = "") {
  const uri = pictureUri(photo);
  if (!uri) return element("span", { className: "absent", textContent: "no picture" });
  return element("img", { src: uri, alt });
}

function plain(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}
