// Sifts the cards of the atlas while somebody types; tests/app/test_traditions.py has the same in Python.
const folded = (text) =>
  text.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "").replace(/[-_\s]+/g, " ").trim();

function sift() {
  const search = element.querySelector("#atlas-search");
  if (!search) return;
  const words = folded(search.value).split(" ").filter(Boolean);
  const family = element.querySelector("#atlas-family").value;
  const known = element.querySelector("#atlas-known").checked;
  let shown = 0;
  const cards = element.querySelectorAll("article.craft");
  for (const card of cards) {
    const fits =
      (!family || card.dataset.family === family) &&
      (!known || card.classList.contains("known")) &&
      words.every((word) => card.dataset.search.includes(word));
    card.hidden = !fits;
    shown += fits;
  }
  element.querySelector(".none").hidden = shown > 0;
  const count = element.querySelector(".count");
  count.dataset.all ??= count.textContent;
  count.textContent = shown === cards.length ? count.dataset.all
    : count.dataset.some.replace("{shown}", shown).replace("{all}", cards.length);
}

element.addEventListener("input", sift);
element.addEventListener("change", sift);
element.addEventListener("submit", (event) => event.preventDefault());
