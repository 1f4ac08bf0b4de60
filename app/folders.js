// Gradio sends the files of a folder by their bare names, and of a folder that is dropped it can send nothing. Here each
// file is named by where it lies in the folder, before gradio sees it.
const field = "#batch-folder";
const longest = 1000; // letters of any script that the header of an upload has room for

function named(file, path) {
  return new File([file], path.slice(-longest), { type: file.type, lastModified: file.lastModified });
}

function together(files) {
  const data = new DataTransfer();
  for (const file of files) data.items.add(file);
  return data;
}

// The files among entries and in the folders among them. What cannot be read is passed over, as where a folder is chosen.
async function filesOf(entries) {
  const files = [];
  for (const entry of entries) {
    if (entry.isDirectory) {
      files.push(...(await filesOf(await inside(entry.createReader()))));
    } else {
      const file = await new Promise((found) => entry.file(found, () => found(null)));
      if (file) files.push(named(file, entry.fullPath.slice(1)));
    }
  }
  return files;
}

async function inside(reader) {
  const entries = [];
  for (;;) {
    const some = await new Promise((read) => reader.readEntries(read, () => read([]))); // a hundred at most
    if (!some.length) return entries;
    entries.push(...some);
  }
}

function isOurs(event) {
  return document.querySelector(field)?.contains(event.target);
}

document.addEventListener("change", (event) => {
  if (!isOurs(event)) return;
  const files = [...event.target.files].map((file) => named(file, file.webkitRelativePath || file.name));
  event.target.files = together(files).files;
}, true);

document.addEventListener("drop", async (event) => {
  if (!isOurs(event)) return;
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const dataTransfer = together(await filesOf(entries));
  const input = document.querySelector(`${field} input[type=file]`);
  input?.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer }));
}, true);
