/* Lists the pages that this device keeps for the person who last signed in on it; see sw.js. */
"use strict";

(async () => {
  const list = document.querySelector("[data-kept-pages]");
  const names = (await caches.keys()).filter((name) => name.startsWith("kept-"));
  for (const name of names) {
    const cache = await caches.open(name);
    for (const request of (await cache.keys()).reverse()) {
      const answer = await cache.match(request);
      list.append(card(new URL(request.url).pathname, answer.headers.get("Tayyar-Title")));
    }
  }
  document.querySelector("[data-none]").hidden = list.children.length > 0;
})();

function card(path, title) {
  const item = document.createElement("li");
  item.className = "card";
  const link = document.createElement("a");
  link.className = "whole";
  link.href = path;
  link.textContent = decodeURIComponent(title);
  item.append(link);
  return item;
}
