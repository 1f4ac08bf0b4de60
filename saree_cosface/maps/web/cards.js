// A photo close by: the card under the pointer, and the pinned photo with its nearest neighbours to walk along.
const ring = byId("ring");
const hoverCard = byId("hover");

function fact(name, text, wrong = false) {
  return element("div", { className: wrong ? "wrong" : "" },
    element("dt", { textContent: name }), element("dd", { textContent: text, dir: "auto" }));
}

function facts(photo) {
  const rows = [];
  const add = (name, text, wrong) => rows.push(fact(name, text, wrong));
  add("Nearest", `${nameOf("named", photo)} ${cosineText(cosineOf.cosine[photo])}`, misnamed(photo));
  if (known("craft", photo)) {
    const own = cosineOf.own_cosine[photo];
    add("Label", own === NO_COSINE ? "no prototype of it" : `${nameOf("craft", photo)} ${cosineText(own)}`);
  }
  if (known("verdict", photo)) add("Verdict", nameOf("verdict", photo));
  for (const key of ["source", "view", "split"]) if (known(key, photo)) add(TITLES[key], nameOf(key, photo));
  if (outlier[photo]) add("Outlier", "far from its label", true);
  return element("dl", {}, ...rows);
}

// Beside the photo, on the side where there is room.
function showCard(photo) {
  if (Number(hoverCard.dataset.photo ?? -1) !== photo || hoverCard.hidden) {
    const name = element("strong", { textContent: nameOf("craft", photo), dir: "auto" });
    hoverCard.replaceChildren(picture(photo), element("div", {}, name, facts(photo)));
    hoverCard.dataset.photo = photo;
    hoverCard.hidden = false;
  }
  moveCard(photo);
}

function moveCard(photo) {
  const [left, top] = place(photo);
  const [width, height] = [byId("map").clientWidth, byId("map").clientHeight];
  ring.hidden = left < 0 || top < 0 || left > width || top > height;
  ring.style.transform = `translate(${left}px, ${top}px)`;
  const [cardWidth, cardHeight] = [hoverCard.offsetWidth, hoverCard.offsetHeight];
  let across = left + 18;
  if (across + cardWidth > width - 6) across = left - 18 - cardWidth;
  if (across < 6) across = Math.max(6, Math.min(width - cardWidth - 6, left - cardWidth / 2));
  let down = Math.min(Math.max(6, top - cardHeight / 2), height - cardHeight - 6);
  const covers = across < left + 12 && across + cardWidth > left - 12;
  if (covers) down = top + 18 + cardHeight < height ? top + 18 : Math.max(6, top - 18 - cardHeight);
  hoverCard.style.transform = `translate(${Math.round(across)}px, ${Math.round(down)}px)`;
}

function hideCard() {
  ring.hidden = true;
  hoverCard.hidden = true;
}

function photoButton(photo, ...extra) {
  const button = element("button", { type: "button", className: "photo" }, picture(photo), ...extra);
  button.addEventListener("click", () => pin(photo, true));
  return button;
}

function neighbourItem(pinned, { photo, cosine }) {
  const other = value("craft", photo) !== value("craft", pinned);
  const words = element("span", {},
    element("b", { textContent: nameOf("craft", photo), dir: "auto" }),
    element("small", { textContent: known("source", photo) ? nameOf("source", photo) : "", dir: "auto" }));
  const marks = element("span", { className: "marks" }, element("span", { textContent: cosineText(cosine) }));
  if (other) marks.append(element("span", { className: "other", textContent: "other label" }));
  return element("li", {}, photoButton(photo, words, marks));
}

function showPinned() {
  const section = byId("pinned");
  section.hidden = state.pinned < 0;
  if (section.hidden) {
    section.replaceChildren();
    return;
  }
  const photo = state.pinned;
  const close = element("button", { type: "button", className: "close", textContent: "×", title: "Unpin (Esc)",
    data: { "aria-label": "Unpin" } });
  close.addEventListener("click", () => {
    pin(-1);
    byId("map").focus();
  });
  const near = neighboursOf(photo);
  const same = near.filter((each) => value("craft", each.photo) === value("craft", photo)).length;
  const heading = element("h2", { id: "pinned-title", textContent: nameOf("craft", photo), tabIndex: -1, dir: "auto" });
  section.replaceChildren(close, heading,
    element("div", { className: "large" }, picture(photo, sentence(photo)), facts(photo)),
    element("dl", { className: "more" },
      known("family", photo) ? fact(TITLES.family, nameOf("family", photo)) : null,
      known("piece", photo) ? fact("Piece", nameOf("piece", photo)) : null,
      fact("Path", data.path[photo])));
  if (!near.length) return;
  section.append(
    element("h3", { textContent: `Nearest photos: ${same} of ${near.length} with this label` }),
    element("ol", { className: "near" }, ...near.map((each) => neighbourItem(photo, each))));
}
