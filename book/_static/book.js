// Search summaries are fetched page by page, which a browser refuses to do for files.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}

// The sidebar's toggles show only an arrow; say what they open.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".bd-sidebar summary").forEach((summary) => {
    const link = summary.closest("li")?.querySelector("a");
    if (!summary.textContent.trim() && link) {
      summary.setAttribute("aria-label", `Pages below ${link.textContent.trim()}`);
    }
  });
});

// A formula that is wider than its column scrolls: the tab key reaches it then, and only then.
const reachIfItScrolls = (formula) => {
  if (formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0;
  else formula.removeAttribute("tabindex");
};
window.addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  const widths = new ResizeObserver((entries) => entries.forEach(({ target }) => reachIfItScrolls(target)));
  document.querySelectorAll("mjx-container[display]").forEach((formula) => {
    reachIfItScrolls(formula);
    widths.observe(formula);
  });
});
