// An answer: announced when it changes, removed by its own button; layers, slider and operating point are
// moved here, without asking the server.
element.setAttribute("role", "region");
element.setAttribute("aria-live", "polite");

const all = (selector) => Array.from(element.querySelectorAll(selector));

function showPoint() {
  const chosen = document.querySelector("input[name=ts-point]:checked")?.value;
  if (!chosen || !all(`[data-point="${CSS.escape(chosen)}"]`).length) return;
  for (const one of all("[data-point]")) one.hidden = one.dataset.point !== chosen;
}

function showLayers() {
  const mode = element.querySelector("input[name=ts-evidence]:checked")?.value ?? "off";
  // `hidden` is no property of an SVG element.
  for (const one of all("[data-layer]")) one.toggleAttribute("hidden", one.dataset.layer !== mode);
}

document.addEventListener("change", (event) => {
  if (event.target.name === "ts-point") showPoint();
});
element.addEventListener("change", (event) => {
  if (event.target.name === "ts-evidence") showLayers();
});
element.addEventListener("input", (event) => {
  if (event.target.matches("[data-opacity]")) {
    for (const one of all(".ts-stack")) one.style.setProperty("--opacity", event.target.value / 100);
    event.target.closest("label").querySelector("b").textContent = `${event.target.value} %`;
  }
  if (event.target.matches("[data-cut]")) {
    event.target.closest("section").querySelector(".ts-cut").style.setProperty("--cut", `${event.target.value}%`);
  }
});
element.addEventListener("click", (event) => {
  const report = event.target.closest("[data-report]");
  if (report) {
    report.disabled = true;
    const detail = { report: true };
    document.querySelector("#ts-drop .ts-zone").dispatchEvent(new CustomEvent("ts-again", { detail }));
  }
  if (!event.target.closest("[data-remove]")) return;
  trigger("clear");
  document.querySelector("#ts-file")?.focus();
});
// On a narrow screen the answer stands below the fold.
watch("value", () => {
  showPoint();
  element.querySelector("[data-fresh]")?.click();
  const top = element.getBoundingClientRect().top;
  if (!element.querySelector(".ts-empty") && top > window.innerHeight * 0.6) {
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    element.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
  }
});
