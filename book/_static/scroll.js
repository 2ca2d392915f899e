// What is wider than its place can be scrolled; let the keyboard reach it, but only while it is too wide.
const SCROLLING = 'mjx-container[display="true"], div.math, .pst-scrollable-table-container, pre';
window.addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  const update = (box) => {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  };
  const watcher = new ResizeObserver((entries) => entries.forEach((entry) => update(entry.target)));
  const boxes = [...document.querySelectorAll(SCROLLING)];
  boxes.forEach((box) => watcher.observe(box));
  await document.fonts.ready; // a font that comes late widens a formula and not the box that the watcher sees
  boxes.forEach(update);
});
