/* The kiosk's service worker: when a page cannot be had, one page says so. It keeps that page and what it looks like,
   and nothing else: never a page of a visitor. */
"use strict";

const SHELF = "kiosk-1";
const OFFLINE = new URL("offline", self.registration.scope).href;

self.addEventListener("install", (event) => {
  event.waitUntil(fill().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(self.clients.claim());
});

/** The page, and every style, script and font that it names. */
async function fill() {
  const shelf = await caches.open(SHELF);
  const page = await fetch(OFFLINE, { cache: "no-store", credentials: "omit" });
  if (!page.ok) throw new Error(String(page.status));
  const named = [...(await page.clone().text()).matchAll(/(?:href|src)="([^"]+\.(?:css|js))"/g)].map((found) => found[1]);
  const parts = named.map((address) => new URL(address, OFFLINE).href);
  const fonts = [400, 600].map((weight) => new URL(`../fonts/tayyar-sans-${weight}.woff2`, parts[0]).href);
  await Promise.all([...parts, ...fonts].map((address) => keep(shelf, address)));
  await shelf.put(OFFLINE, page);
}

async function keep(shelf, address) {
  const answer = await fetch(address, { cache: "no-store", credentials: "omit" });
  if (answer.ok) await shelf.put(address, answer);
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (["style", "script", "font"].includes(request.destination)) event.respondWith(part(request));
});

/** The network's answer; the page without network when there is none, or the site itself is down. */
async function page(request) {
  try {
    const answer = await fetch(request);
    if (answer.status < 502) return answer;
  } catch {
    // Below.
  }
  return (await (await caches.open(SHELF)).match(OFFLINE)) ?? Response.error();
}

async function part(request) {
  try {
    return await fetch(request);
  } catch {
    return (await (await caches.open(SHELF)).match(request.url)) ?? Response.error();
  }
}
