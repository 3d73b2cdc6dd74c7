// What stands to the right of a drop zone: announced when it changes, brought into view on a narrow screen.
element.setAttribute("role", "region");
element.setAttribute("aria-live", "polite");
watch("value", () => {
  const top = element.getBoundingClientRect().top;
  if (!element.querySelector(".ts-empty") && top > window.innerHeight * 0.6) {
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    element.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
  }
});
