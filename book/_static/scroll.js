// What is wider than its place can be scrolled; let the keyboard reach it, but only while it is too wide.
const SCROLLING = 'mjx-container[display="true"], div.math, .pst-scrollable-table-container, .results, pre';
window.addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  const boxes = [...document.querySelectorAll(SCROLLING)];
  const update = (box) => {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  };
  const watcher = new ResizeObserver((entries) => entries.forEach((entry) => update(entry.target)));
  boxes.forEach((box) => watcher.observe(box));
  // A font widens a formula and not the box that the watcher sees. It is asked for only once the formula is laid out,
  // so that document.fonts.ready may be settled before its loading begins: every end of a loading counts.
  document.fonts.addEventListener("loadingdone", () => boxes.forEach(update));
});
