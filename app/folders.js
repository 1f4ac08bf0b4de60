// Of the files of a folder gradio sends the bare names; here each is given the folders that it lies in as a part of its
// name, before gradio sees it.
document.addEventListener(
  "change",
  (event) => {
    for (const file of event.target.webkitdirectory ? event.target.files : []) {
      if (file.webkitRelativePath) Object.defineProperty(file, "name", { value: file.webkitRelativePath });
    }
  },
  true,
);
