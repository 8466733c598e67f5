/* The service worker: shows what the utility pushes and opens the page it names; keeps the last bills for reading
   without a network.

   Of pages it keeps only those whose answer says so (Tayyar-Keep: "<person's key> <title>"), at most KEPT of them, for
   one person at a time: another person's page, the sign-in page or signing out empties it. With a network nothing ever
   comes from what is kept. Besides, it keeps the public page, styles and fonts that the page without a network needs. */
"use strict";

const KEPT = 7;
const PREFIX = "kept-";
const PUBLIC = "public-1";
const OFFLINE = "/offline";
const PARTS = [
  "/static/portal/tokens.css",
  "/static/portal/tayyar.css",
  "/static/portal/me.css",
  "/static/portal/icons.svg",
  "/static/portal/me.js",
  "/static/portal/offline.js",
  "/static/fonts/tayyar-sans-400.woff2",
  "/static/fonts/tayyar-sans-600.woff2",
];
const LEAVING = ["/login", "/logout"];

// Browsers demand that every push shows something, also one that cannot be read.
const UNREAD = {
  ar: "لديك رسالة من شركة الكهرباء",
  en: "A message from your electricity company",
  fr: "Un message de votre compagnie d’électricité",
};

const ROOT = `${self.location.origin}/`;

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(prepare());
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (url.origin !== self.location.origin) return;
  if (event.request.mode === "navigate") {
    event.respondWith(visit(event, url));
  } else if (event.request.method === "GET" && PARTS.includes(url.pathname)) {
    event.respondWith(part(event.request));
  }
});

/** Fetch what the page without a network needs; in each language, as the person may choose another. */
async function prepare() {
  const cache = await caches.open(PUBLIC);
  const pages = ["ar", "en", "fr"].map((lang) => `${OFFLINE}?lang=${lang}`);
  await Promise.all([...pages, ...PARTS].map(async (path) => {
    const answer = await fetch(path, { credentials: "omit", cache: "reload" });
    if (answer.ok) await cache.put(path, answer);
  }));
}

/** A page from the network; without one, the page as it was kept, else the one that lists what is kept. */
async function visit(event, url) {
  const { request } = event;
  if (LEAVING.includes(url.pathname)) await inTurn(() => forget());
  try {
    const answer = await fetch(request);
    const mark = answer.headers.get("Tayyar-Keep");
    if (mark && request.method === "GET" && answer.status === 200) {
      const copy = answer.clone();
      event.waitUntil(inTurn(() => keep(copy, url.pathname, mark)));
    }
    return answer;
  } catch (failure) {
    if (request.method !== "GET") throw failure;
    return (await keptPage(url)) || offlinePage(url);
  }
}

/** One after the other, in the order asked: a page still on its way must not outlive signing out. */
let last = Promise.resolve();
function inTurn(work) {
  last = last.then(work, work);
  return last;
}

/** Keep a page for the person whose key its mark carries, and nobody else's any more. */
async function keep(answer, path, mark) {
  const [key, title] = mark.split(" ");
  await forget(PREFIX + key);
  const cache = await caches.open(PREFIX + key);
  const html = (await answer.text()).replace("<html ", "<html data-kept ");
  const headers = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": answer.headers.get("Content-Security-Policy"),
    "Tayyar-Title": title,
  };
  await cache.delete(path);
  await cache.put(path, new Response(html, { headers }));
  const keys = await cache.keys();
  await Promise.all(keys.slice(0, Math.max(0, keys.length - KEPT)).map((old) => cache.delete(old)));
}

/** Empty every person's pages but those under `name`. */
async function forget(name = "") {
  const names = await caches.keys();
  await Promise.all(names.filter((found) => found.startsWith(PREFIX) && found !== name).map((found) => caches.delete(found)));
}

async function keptPage(url) {
  for (const name of await caches.keys()) {
    if (!name.startsWith(PREFIX)) continue;
    const found = await (await caches.open(name)).match(url.pathname);
    if (found) return found;
  }
  return undefined;
}

async function offlinePage(url) {
  const cache = await caches.open(PUBLIC);
  const asked = [url.searchParams.get("lang"), navigator.language.slice(0, 2), "ar"];
  for (const lang of asked) {
    const found = lang && (await cache.match(`${OFFLINE}?lang=${lang}`));
    if (found) return found;
  }
  return Response.error();
}

/** A style, script or font: the newest from the network, else the one that was kept. */
async function part(request) {
  const cache = await caches.open(PUBLIC);
  try {
    const answer = await fetch(request);
    if (answer.ok) await cache.put(new URL(request.url).pathname, answer.clone());
    return answer;
  } catch (failure) {
    const found = await cache.match(new URL(request.url).pathname);
    if (found) return found;
    throw failure;
  }
}

self.addEventListener("push", (event) => {
  const told = read(event.data);
  event.waitUntil(
    self.registration.showNotification(told.title, {
      body: told.body,
      tag: told.tag,
      dir: "auto",
      data: { url: told.url },
    })
  );
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data.url));
});

/** {title, body, url, tag} of a push; `url` is a page of this site, whatever was sent. */
function read(data) {
  let told = null;
  try {
    told = data.json();
  } catch {
    // no data, or no JSON
  }
  if (told === null || typeof told !== "object" || typeof told.title !== "string") {
    told = { title: UNREAD[navigator.language.slice(0, 2)] || UNREAD.ar };
  }
  return {
    title: told.title,
    body: String(told.body || ""),
    tag: String(told.tag || ""),
    url: ownPage(told.url),
  };
}

/** `address` where it is a page of this site, else the site's first page. */
function ownPage(address) {
  try {
    const url = new URL(address || "/", self.location.origin);
    return url.origin === self.location.origin ? url.href : ROOT;
  } catch {
    return ROOT;
  }
}

/** Show the page: the window that has it already, else a new one. */
async function open(url) {
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const found = windows.find((client) => client.url === url);
  return found ? found.focus() : self.clients.openWindow(url);
}
