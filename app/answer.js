// Whoever has asked sees the answer, which on a telephone begins below what is in sight; but only once, since they may
// have gone on to its parts when its picture comes.
let told = "";
watch("value", () => {
  const now = element.querySelector(".found, .waiting, .problem") ? element.querySelector("h3, p").textContent : "";
  const { top } = element.getBoundingClientRect();
  if (now && now !== told && (top < 0 || top > 80)) {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    element.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
  }
  told = now;
});
