/* The service worker: shows what the utility pushes and opens the page it names.
   It keeps nothing, caches nothing and stands in the way of no request. */
"use strict";

// Browsers demand that every push shows something, also one that cannot be read.
const UNREAD = {
  ar: "لديك رسالة من شركة الكهرباء",
  en: "A message from your electricity company",
  fr: "Un message de votre compagnie d’électricité",
};

const ROOT = `${self.location.origin}/`;

self.addEventListener("install", () => self.skipWaiting());

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
