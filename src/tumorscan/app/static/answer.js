// The answer: announced when it changes, and removed by its own button.
element.setAttribute("role", "region");
element.setAttribute("aria-label", "Answer");
element.setAttribute("aria-live", "polite");
element.addEventListener("click", (event) => {
  if (!event.target.closest("[data-remove]")) return;
  trigger("clear");
  document.querySelector("#ts-file")?.focus();
});
// On a narrow screen the answer stands below the fold.
watch("value", () => {
  const top = element.getBoundingClientRect().top;
  if (!element.querySelector(".ts-empty") && top > window.innerHeight * 0.6) {
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    element.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
  }
});
