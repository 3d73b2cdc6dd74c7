// The drop zone: takes one file by drop, click or paste, uploads its bytes as they are, and tells the
// server. Gradio runs this with `element`, `trigger` and `upload` once the zone is in the page.
const input = element.querySelector("#ts-file");
const target = element.querySelector(".ts-target");
const status = element.querySelector(".ts-status");
const pasteButton = element.querySelector("[data-paste]");
const limit = Number(element.querySelector(".ts-zone").dataset.maxBytes);
let latest = 0;

const say = (text) => { status.textContent = text; };

async function take(files) {
  const file = files[0];
  if (!file) return;
  const turn = ++latest;
  trigger("clear");
  const more = files.length > 1 ? `; the other ${files.length - 1} were left out` : "";
  say(`Sending ${file.name}${more}`);
  if (file.size > limit) {
    finish(turn, { name: file.name, size: file.size });
    return;
  }
  try {
    // A name of our own: the person's may hold a patient's, and two equal uploads must not meet on disk.
    const token = Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0"));
    const sent = await upload(new File([file], token.join("")));
    if (turn !== latest) trigger("delete", { path: sent.path });
    else finish(turn, { name: file.name, path: sent.path }, more);
  } catch (error) {
    finish(turn, { name: file.name, failure: String(error?.message ?? error) });
  }
}

function finish(turn, what, more = "") {
  if (turn !== latest) return;
  say(more ? `One picture at a time${more}` : "");
  trigger("upload", what);
}

const hasFiles = (event) => Array.from(event.dataTransfer?.types ?? []).includes("Files");

// The whole page takes a drop, so that one beside the zone does not make the browser leave the page.
document.addEventListener("dragover", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  target.classList.add("ts-over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) target.classList.remove("ts-over");
});
document.addEventListener("drop", (event) => {
  target.classList.remove("ts-over");
  if (!hasFiles(event)) return;
  event.preventDefault();
  take(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => {
  const files = event.clipboardData?.files ?? [];
  if (!files.length) return;
  event.preventDefault();
  take(files);
});

input.addEventListener("change", () => {
  const files = Array.from(input.files);
  input.value = ""; // so that the same file can be chosen again
  take(files);
});

pasteButton.addEventListener("click", async () => {
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((one) => one.startsWith("image/"));
      if (type) {
        await take([new File([await item.getType(type)], `pasted.${type.slice(6)}`)]);
        return;
      }
    }
    say("There is no picture in the clipboard.");
  } catch {
    say("The browser does not let the page read the clipboard: press Ctrl+V or Cmd+V instead.");
  }
});

element.querySelectorAll("[data-example]").forEach((button) => {
  button.addEventListener("click", () => {
    latest += 1;
    trigger("clear");
    say("");
    trigger("select", { index: Number(button.dataset.example) });
  });
});
