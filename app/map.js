async (file) => {
  // The page is fetched with the rights of whoever looks, and shown in a frame that has none.
  if (!file?.url) return;
  let frame = null;
  for (let tries = 0; tries < 50 && !frame; tries += 1) {
    frame = document.querySelector("#map-frame");
    if (!frame) await new Promise((ready) => setTimeout(ready, 100));
  }
  if (!frame || frame.dataset.of === file.url) return;
  frame.dataset.of = file.url;
  const answer = await fetch(file.url);
  if (!answer.ok) return;
  const page = new Blob([await answer.arrayBuffer()], { type: "text/html;charset=utf-8" });
  const address = URL.createObjectURL(page);
  frame.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
  frame.src = address;
}
