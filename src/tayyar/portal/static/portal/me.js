/* Comfort for pages around and behind the login; all of them work without this file.
   Registers the service worker that keeps the last bills; closes menus; counts a code's seconds down. */
"use strict";

if ("serviceWorker" in navigator && document.body.classList.contains("me")) {
  navigator.serviceWorker.register("/sw.js", { scope: "/" }).catch(() => {});
}

document.addEventListener("click", (event) => closeMenus(event.target));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.querySelector("details.menu[open]");
  if (open) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});

function closeMenus(clicked) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(clicked)) menu.open = false;
  }
}

/* [data-seconds]: shows the seconds left in its [data-left] and, at the end, [data-over] instead of itself. What says the
   same without a clock, [data-without-clock] right after it, goes.
   The end is reckoned from the moment the page came, so a sleeping tab does not stretch it. */
function countDown(clock) {
  const ends = performance.now() + 1000 * Number(clock.dataset.seconds);
  const left = clock.querySelector("[data-left]");
  const digits = new Intl.NumberFormat(clock.dataset.digits || "en-u-nu-latn");
  clock.hidden = false;
  const without = clock.nextElementSibling;
  if (without && "withoutClock" in without.dataset) without.hidden = true;
  const tick = () => {
    const seconds = Math.max(0, Math.ceil((ends - performance.now()) / 1000));
    left.textContent = digits.format(seconds);
    if (seconds > 0) {
      setTimeout(tick, 250);
      return;
    }
    clock.hidden = true;
    const over = document.getElementById(clock.dataset.over);
    if (over) over.hidden = false;
    const waits = document.getElementById(clock.dataset.enables);
    if (waits) waits.disabled = false;
  };
  const waits = document.getElementById(clock.dataset.enables);
  if (waits) waits.disabled = true;
  tick();
}

for (const clock of document.querySelectorAll("[data-seconds]")) countDown(clock);

/* [data-strength]: a password field, and below it the hints whose conditions are met. */
for (const list of document.querySelectorAll("[data-strength]")) {
  const input = document.getElementById(list.dataset.strength);
  const judge = () => {
    for (const hint of list.querySelectorAll("[data-least]")) {
      hint.classList.toggle("met", input.value.length >= Number(hint.dataset.least));
    }
  };
  input.addEventListener("input", judge);
}

/* A form is sent once, however often its button is pressed. */
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) {
    event.preventDefault();
    return;
  }
  event.target.dataset.sent = "1";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
