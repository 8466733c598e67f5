// Single keys on staff screens: an element with data-key is clicked by its key, one with data-focus gets the focus.
// Each key is shown beside its element. Everything works without this file.
(() => {
  const marked = "[data-key], [data-focus]";
  const keyOf = (element) => element.dataset.key || element.dataset.focus;

  function show(root) {
    for (const element of root.querySelectorAll(marked)) {
      const key = keyOf(element);
      element.setAttribute("aria-keyshortcuts", key);
      const place = element.matches("input") ? element.closest("label").querySelector("span") : element;
      if (place.querySelector("kbd")) continue;
      const hint = document.createElement("kbd");
      hint.textContent = key.toUpperCase();
      hint.setAttribute("aria-hidden", "true");
      place.append(" ", hint);
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    // event.code: the same physical key on an Arabic and a Latin keyboard.
    const pressed = event.code.replace(/^(Key|Digit|Numpad)/, "").toLowerCase();
    const found = [...document.querySelectorAll(marked)].find((element) => keyOf(element) === pressed);
    if (!found) return;
    event.preventDefault();
    if (found.dataset.focus) found.focus();
    else found.click();
  });
  document.addEventListener("htmx:afterSwap", () => show(document));
  show(document);
})();
