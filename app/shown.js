// Whoever has asked sees what comes, which on a telephone begins below what is in sight. What follows of the same kind
// moves nothing: they may have gone on from there.
let last = "";
watch("value", () => setTimeout(() => { // once it is drawn
  const now = element.querySelector("[data-shows]")?.dataset.shows ?? "";
  const { top } = element.getBoundingClientRect();
  if (now && now !== last && (top < 0 || top > 80)) element.scrollIntoView({ block: "start" });
  last = now;
}, 50));
