// gradio names its field for files other than it is labelled to the eye; whoever speaks to the page says what they see.
function plain() {
  for (const field of document.querySelectorAll(".upload-container[aria-label]")) field.removeAttribute("aria-label");
}
window.sareeEnrol?.disconnect(); // the tab was built anew
window.sareeEnrol = new MutationObserver(plain);
window.sareeEnrol.observe(document.body, { subtree: true, childList: true });
plain();
