// A series: all slices are here, each decoded once; slider, window, curve and layers need no server.
element.setAttribute("role", "region");
const LEVELS = 1024;
let view = null;

class View {
  constructor(box) {
    this.box = box;
    Object.assign(this, JSON.parse(box.dataset.series));
    box.removeAttribute("data-series"); // megabytes that are held once already
    this.count = this.slices.length;
    this.levels = new Array(this.count);
    this.shown = this.first;
    this.level = this.centre;
    this.span = this.width;
    this.canvas = box.querySelector("canvas");
    this.scratch = document.createElement("canvas");
    this.show(this.first).then(() => this.decodeAll());
  }

  async decode(place) {
    if (this.levels[place]) return;
    const image = new Image();
    image.src = this.slices[place];
    await image.decode();
    const { naturalWidth: wide, naturalHeight: high } = image;
    this.scratch.width = wide;
    this.scratch.height = high;
    const context = this.scratch.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, wide, high);
    const levels = new Uint16Array(wide * high);
    for (let i = 0, j = 0; i < levels.length; i += 1, j += 4) levels[i] = (data[j] << 2) | data[j + 1];
    this.levels[place] = levels;
    this.wide = wide;
    this.high = high;
    this.slices[place] = "";
  }

  // From the one that is seen outwards, a slice at a time, so that nothing else waits.
  async decodeAll() {
    for (let step = 1; step < this.count; step += 1) {
      for (const place of [this.first + step, this.first - step]) {
        if (view !== this) return;
        if (place >= 0 && place < this.count) await this.decode(place);
      }
    }
    this.box.dataset.ready = "all";
  }

  async show(place) {
    this.shown = place;
    element.querySelector("[data-slice]").value = place;
    element.querySelector("[data-slice]").setAttribute("aria-valuetext", this.where[place]);
    element.querySelector("[data-where]").textContent = this.where[place];
    const [left, wide] = this.plot;
    element.querySelector("[data-cursor]").setAttribute("transform", `translate(${left + (wide * (place + 0.5)) / this.count} 0)`);
    this.layers();
    await this.decode(place);
    if (this.shown === place) this.draw();
  }

  draw() {
    const table = new Uint8ClampedArray(LEVELS), step = (this.top - this.low) / (LEVELS - 1);
    for (let i = 0; i < LEVELS; i += 1) {
      const share = (this.low + i * step - (this.level - this.span / 2)) / this.span;
      table[i] = 255 * (this.inverted ? 1 - Math.min(Math.max(share, 0), 1) : share);
    }
    const levels = this.levels[this.shown];
    this.canvas.width = this.wide;
    this.canvas.height = this.high;
    const context = this.canvas.getContext("2d"), picture = context.createImageData(this.wide, this.high);
    for (let i = 0, j = 0; i < levels.length; i += 1, j += 4) {
      picture.data[j] = picture.data[j + 1] = picture.data[j + 2] = table[levels[i]];
      picture.data[j + 3] = 255;
    }
    context.putImageData(picture, 0, 0);
    element.querySelector("[data-level-is]").textContent = rounded(this.level);
    element.querySelector("[data-width-is]").textContent = rounded(this.span);
    this.box.dataset.shown = this.shown;
  }

  window(level, span) {
    this.level = level;
    this.span = Math.max(span, 1e-6);
    element.querySelector("[data-level]").value = level;
    element.querySelector("[data-width]").value = span;
    if (this.levels[this.shown]) this.draw();
  }

  layers() {
    const mode = element.querySelector("input[name=ts-series-evidence]:checked")?.value ?? "off";
    for (const one of element.querySelectorAll("[data-layer]")) {
      one.toggleAttribute("hidden", one.dataset.layer !== mode || this.shown !== this.key);
    }
  }
}

const rounded = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3));

function showPoint() {
  const chosen = document.querySelector("input[name=ts-series-point]:checked")?.value;
  const all = Array.from(element.querySelectorAll("[data-point]"));
  if (!chosen || !all.some((one) => one.dataset.point === chosen)) return;
  for (const one of all) one.toggleAttribute("hidden", one.dataset.point !== chosen);
}

document.addEventListener("change", (event) => {
  if (event.target.name === "ts-series-point") showPoint();
});
element.addEventListener("change", (event) => {
  if (event.target.name === "ts-series-evidence") {
    if (view && event.target.value !== "off" && view.key !== null) view.show(view.key);
    view?.layers();
  }
  if (event.target.matches("[data-volume]")) {
    const detail = { volume: Number(event.target.value) };
    document.querySelector("#ts-series-drop .ts-zone").dispatchEvent(new CustomEvent("ts-again", { detail }));
  }
});
element.addEventListener("input", (event) => {
  if (!view) return;
  if (event.target.matches("[data-slice]")) view.show(Number(event.target.value));
  if (event.target.matches("[data-level]")) view.window(Number(event.target.value), view.span);
  if (event.target.matches("[data-width]")) view.window(view.level, Number(event.target.value));
  if (event.target.matches("[data-opacity]")) {
    element.querySelector(".ts-stack").style.setProperty("--opacity", event.target.value / 100);
    event.target.closest("label").querySelector("b").textContent = `${event.target.value} %`;
  }
});
element.addEventListener("click", (event) => {
  if (event.target.closest("[data-remove]")) {
    trigger("clear");
    document.querySelector("#ts-series-file")?.focus();
  }
  if (!view) return;
  if (event.target.closest("[data-key]")) view.show(view.key);
  if (event.target.closest("[data-reset]")) view.window(view.centre, view.width);
  const curve = event.target.closest("[data-curve]");
  if (curve) {
    const box = curve.getBoundingClientRect(), [left, wide, whole] = view.plot;
    const share = (((event.clientX - box.left) / box.width) * whole - left) / wide;
    view.show(Math.min(Math.max(Math.floor(share * view.count), 0), view.count - 1));
  }
});
element.addEventListener(
  "wheel",
  (event) => {
    if (!view || !event.target.closest(".ts-stack")) return;
    event.preventDefault();
    view.show(Math.min(Math.max(view.shown + Math.sign(event.deltaY), 0), view.count - 1));
  },
  { passive: false },
);

watch("value", () => {
  // What changes with every slice is not read aloud; the answer is.
  element.setAttribute("aria-live", element.querySelector(".ts-progress") ? "off" : "polite");
  const box = element.querySelector(".ts-viewer[data-series]");
  if (box) {
    view = new View(box);
    showPoint();
  } else if (!element.querySelector(".ts-viewer")) {
    view = null;
  }
  const top = element.getBoundingClientRect().top;
  if (!element.querySelector(".ts-empty, .ts-progress") && top > window.innerHeight * 0.6) {
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    element.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
  }
});
