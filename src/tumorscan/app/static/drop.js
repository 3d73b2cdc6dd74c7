// A drop zone: takes files by drop, click or paste, uploads their bytes as they are, and tells the server.
// Gradio runs this with `element`, `trigger` and `upload` once the zone is in the page.
const zone = element.querySelector(".ts-zone");
const input = zone.querySelector("input[type=file]");
const target = zone.querySelector(".ts-target");
const status = zone.querySelector(".ts-status");
const pasteButton = zone.querySelector("[data-paste]");
const texts = JSON.parse(zone.dataset.texts);
const limit = Number(zone.dataset.maxBytes);
const most = Number(zone.dataset.maxFiles);
// For screen readers: the page's own language is chosen in the browser, after its HTML was sent.
document.documentElement.lang = zone.lang;
let latest = 0;
let kept = null; // the last picture of a zone whose options are asked about again; it stays in this browser

const filled = (key, values) => texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
const say = (text, alarm = false) => {
  status.textContent = text;
  status.classList.toggle("ts-alarm", alarm);
};
// Every tab has a zone of its own; what falls on the page is for the one that is seen.
const seen = () => element.isConnected && element.offsetParent !== null;

function options() {
  const chosen = {};
  for (const one of element.querySelectorAll("[data-option]")) {
    if (one.type === "radio" && !one.checked) continue;
    chosen[one.dataset.option] = one.type === "checkbox" ? one.checked : one.value;
  }
  return chosen;
}

// A number that nobody else can guess.
const token = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

async function send(file) {
  if (file.size > limit) return { name: file.name, size: file.size };
  try {
    // A name of our own: the person's may hold a patient's, and two equal uploads must not meet on disk.
    const sent = await upload(new File([file], token()));
    return { name: file.name, path: sent.path };
  } catch (error) {
    return { name: file.name, failure: String(error?.message ?? error) };
  }
}

const problem = (sent) => "size" in sent
  ? filled("too_large", { bytes: sent.size, limit })
  : filled("not_sent", { failure: sent.failure.slice(0, 200) });

async function take(files, more = {}) {
  files = Array.from(files);
  if (!files.length) return;
  const turn = ++latest;
  if (!more.report) trigger("clear"); // a report is of the picture that is shown
  if (zone.querySelector("[data-again]")) kept = files;
  if (most > 1) { await takeMany(files, turn, more); return; }
  say(filled("sending", { what: files[0].name }));
  const sent = await send(files[0]);
  if (turn !== latest) {
    if (sent.path) trigger("delete", { path: sent.path });
    return;
  }
  if (!sent.path) {
    // Said here: where a server cannot be reached it cannot say so either.
    say(`${texts.refusal}: ${sent.name} ${problem(sent)}`, true);
    return;
  }
  say(files.length > 1 ? texts.others_left : "");
  trigger("upload", { ...sent, options: { ...options(), ...more } });
}

async function takeMany(files, turn, more) {
  const results = new Array(files.length);
  let next = 0, done = 0;
  const work = async () => {
    while (next < files.length && turn === latest) {
      const place = next++;
      results[place] = place < most ? await send(files[place]) : { name: files[place].name, beyond: most };
      done += 1;
      if (turn === latest) say(filled("sending", { what: `${done} / ${files.length}` }));
    }
  };
  say(filled("sending", { what: `0 / ${files.length}` }));
  await Promise.all([work(), work(), work()]);
  if (turn !== latest) {
    for (const sent of results) if (sent?.path) trigger("delete", { path: sent.path });
    return;
  }
  say("");
  trigger("upload", { files: results, options: { ...options(), ...more, job: token() } });
}

zone.querySelector("[data-again]")?.addEventListener("change", () => { if (kept instanceof Array) take(kept); });
zone.addEventListener("ts-again", (event) => {
  if (kept instanceof Array) take(kept, event.detail);
  else if (kept) trigger("select", { ...kept, options: event.detail });
});

const hasFiles = (event) => Array.from(event.dataTransfer?.types ?? []).includes("Files");

// The whole page takes a drop, so that one beside the zone does not make the browser leave the page.
document.addEventListener("dragover", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  if (seen()) target.classList.add("ts-over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) target.classList.remove("ts-over");
});
document.addEventListener("drop", (event) => {
  target.classList.remove("ts-over");
  if (!hasFiles(event)) return;
  event.preventDefault();
  if (seen()) take(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => {
  const files = event.clipboardData?.files ?? [];
  if (!files.length || !seen()) return;
  event.preventDefault();
  take(files);
});

input.addEventListener("change", () => {
  const files = Array.from(input.files);
  input.value = ""; // so that the same file can be chosen again
  take(files);
});

pasteButton?.addEventListener("click", async () => {
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((one) => one.startsWith("image/"));
      if (type) {
        await take([new File([await item.getType(type)], `pasted.${type.slice(6)}`)]);
        return;
      }
    }
    say(texts.clipboard_empty);
  } catch {
    say(texts.clipboard_closed);
  }
});

// Heard here and not at each button: what stands beside the zone is told anew where another bundle took over.
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-example]");
  if (!button) return;
  latest += 1;
  trigger("clear");
  say("");
  kept = { index: Number(button.dataset.example) };
  trigger("select", { ...kept, options: options() });
});
