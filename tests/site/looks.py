"""Which elements of a page look alike: contrast, four fifths of axe's time, is measured on a few of each look."""

OF_EACH = 3  # the first, the middle and the last: one that is half out of sight tells axe nothing

# Two elements look alike when they and all that they lie in agree in name, classes, own style and whatever else decides
# on colours: text on its background, what pseudo-elements lay over it, and whether it is words (axe judges no letter
# that stands alone and no picture signs). What belongs to a form is judged each, since axe asks what it is a label of.
MARK = """ofEach => {
  const sorts = new Map(), numbers = new Map(), alike = new Map();
  const seen = style => [style.display, style.visibility, style.opacity, style.color, style.backgroundColor,
    style.backgroundImage, style.position, style.float, style.zIndex, style.filter, style.mixBlendMode,
    style.textShadow, style.overflowX, style.fontSize, style.fontWeight].join();
  const laid = style => style.content === 'none' ? '' : style.content + seen(style);
  const sort = element => {
    if (!element) return 0;
    if (!sorts.has(element)) {
      const own = [sort(element.parentElement), element.localName, element.getAttribute('class'),
        element.getAttribute('style'), element.getAttribute('aria-disabled'), seen(getComputedStyle(element)),
        laid(getComputedStyle(element, '::before')), laid(getComputedStyle(element, '::after'))].join('|');
      if (!numbers.has(own)) numbers.set(own, numbers.size + 1);
      sorts.set(element, numbers.get(own));
    }
    return sorts.get(element);
  };
  document.querySelectorAll('[data-judged]').forEach(element => element.removeAttribute('data-judged'));
  for (const element of document.querySelectorAll('body, body *')) {
    const text = [...element.childNodes].filter(node => node.nodeType === Node.TEXT_NODE).map(node => node.data)
      .join('').trim();
    const form = element.closest('input, select, textarea, button, label, fieldset');
    if (form) element.setAttribute('data-judged', '');
    if (form || !text) continue;
    const look = sort(element) + (text.length === 1 ? ' letter' : /[\\p{L}\\p{N}]/u.test(text) ? ' text' : ' signs');
    alike.set(look, [...(alike.get(look) ?? []), element]);
  }
  for (const all of alike.values())
    for (let k = 0; k < ofEach; k++)
      all[Math.round(k * (all.length - 1) / Math.max(ofEach - 1, 1))].setAttribute('data-judged', '');
}"""
RUN = """options => {
  axe.configure({rules: [{id: 'color-contrast', selector: '[data-judged]'}]});
  return axe.run(options);
}"""
