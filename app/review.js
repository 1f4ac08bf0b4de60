// Keys of the review: each presses the button of its name. Where a reason is needed, the field for it opens first.
const KEYS = { a: "accept", r: "relabel", x: "exclude", m: "duplicate", d: "defer", c: "comment", u: "undo",
  o: "overrule", arrowleft: "back", arrowright: "on", arrowdown: "open" };
const NEED_WHY = new Set(["relabel", "exclude", "comment"]);
const WHY = { relabel: "⟪review.why_relabel⟫", exclude: "⟪review.why_exclude⟫", comment: "⟪review.why_comment⟫" };
let waiting = ""; // the button that is pressed once there is a reason
let busy = 0; // until when a press is taken for one meant for the photo before

window.sareeReview?.abort(); // the tab was built anew
window.sareeReview = new AbortController();
const { signal } = window.sareeReview;
const field = () => document.querySelector("#review-why input, #review-why textarea");
const desk = () => document.querySelector("#review-desk");

function press(name) {
  const button = document.querySelector(`#review-${name}`);
  if (!button || button.offsetParent === null || Date.now() < busy) return;
  waiting = "";
  busy = Date.now() + 3000;
  button.click();
}

function ask(name) {
  waiting = name;
  field().focus();
  field().placeholder = WHY[name];
}

// As if it had been typed: the page behind knows nothing of a value that is only set.
function empty(input) {
  const of = input.tagName === "TEXTAREA" ? HTMLTextAreaElement : HTMLInputElement;
  Object.getOwnPropertyDescriptor(of.prototype, "value").set.call(input, "");
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

function typing(target) {
  return target.closest?.("input, textarea, select, [contenteditable], [role=listbox], [role=tablist]");
}

document.addEventListener("keydown", (event) => {
  if (!desk() || desk().offsetParent === null || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === field()) {
    if (event.key === "Enter" && !event.shiftKey && waiting && field().value.trim()) {
      event.preventDefault();
      const name = waiting;
      field().blur();
      press(name);
    } else if (event.key === "Escape") {
      waiting = "";
      field().placeholder = "";
      empty(field());
      field().blur();
    }
    return;
  }
  if (typing(event.target)) return;
  // On a keyboard of another script, the key that bears the letter.
  const name = KEYS[/^[\x20-\x7e]+$/.test(event.key) ? event.key.toLowerCase() : event.code.replace(/^Key/, "").toLowerCase()];
  if (!name) return;
  event.preventDefault();
  if (event.repeat) return;
  if (NEED_WHY.has(name) && !field().value.trim()) ask(name);
  else press(name);
}, { signal });

// With the mouse as with the keys: a button that needs a reason asks for it.
document.addEventListener("click", (event) => {
  const name = event.target.closest?.("button[id^=review-]")?.id.slice("review-".length);
  if (NEED_WHY.has(name) && !field().value.trim()) {
    event.preventDefault();
    event.stopImmediatePropagation();
    busy = 0;
    ask(name);
  }
}, { signal, capture: true });

watch("value", () => {
  busy = 0;
  waiting = "";
  if (field()) field().placeholder = "";
  const { top } = element.getBoundingClientRect();
  if (element.querySelector(".entry") && (top < 0 || top > innerHeight / 3)) element.scrollIntoView({ block: "start" });
});
