/* The kiosk's comfort: the number pad in place, the clock, a scanner that types anywhere. Every page works without it.
   Nothing is kept here: what was typed lies in the page, and goes with it. */
"use strict";

const { leave, touch, worker, scope, seconds, visit, token } = document.body.dataset;
const TELL_EVERY = 5000; // ms between two words to the server that somebody touches
const WARN = 15; // seconds before the end

// A page out of the browser's memory could be the former visitor's: it is asked for anew.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.replace(leave);
});
addEventListener("contextmenu", (event) => event.preventDefault());

// The first page leads nowhere back.
if (location.pathname === scope) {
  history.pushState(null, "");
  addEventListener("popstate", () => history.pushState(null, ""));
}

if ("serviceWorker" in navigator) navigator.serviceWorker.register(worker, { scope });

for (const form of document.querySelectorAll("[data-pad]")) {
  const field = form.elements.number;
  form.addEventListener("click", (event) => {
    const key = event.target.closest("button[name=key]");
    if (key === null) return;
    event.preventDefault();
    if (key.value === "CLEAR") field.value = "";
    else if (key.value === "BACK") field.value = field.value.slice(0, -1);
    else if (field.value.length < field.maxLength) field.value += key.value;
  });
}

for (const form of document.querySelectorAll("form")) {
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
  });
}

const scanner = document.querySelector("[data-scan] input[name=scanned]");
if (scanner) {
  scanner.focus();
  addEventListener("keydown", (event) => {
    if (event.target !== scanner && event.key.length === 1 && !event.ctrlKey && !event.altKey) scanner.focus();
  });
}

if (Number(seconds) > 0) runClock(Number(seconds));

function runClock(most) {
  const clock = document.querySelector(".clock");
  const shown = document.querySelector("[data-clock]");
  const still = document.querySelector("[data-still]");
  const digits = new Intl.NumberFormat("en");
  let end = Date.now() + most * 1000;
  let told = Date.now();
  let waiting = false;

  clock.hidden = false;
  for (const what of ["pointerdown", "keydown", "scroll"]) {
    addEventListener(what, touched, { passive: true, capture: true });
  }
  const timer = setInterval(tick, 250);
  tick();

  function touched() {
    end = Date.now() + most * 1000;
    tick();
    if (!visit || waiting) return;
    waiting = true;
    setTimeout(tell, Math.max(0, told + TELL_EVERY - Date.now()));
  }

  async function tell() {
    waiting = false;
    told = Date.now();
    const body = new URLSearchParams({ visit, csrfmiddlewaretoken: token });
    try {
      const answer = await fetch(touch, { method: "POST", body, redirect: "manual" });
      if (answer.type === "opaqueredirect") over();
    } catch {
      // No network: the clock goes on, and the next page is the one without network.
    }
  }

  function tick() {
    const left = Math.ceil((end - Date.now()) / 1000);
    if (left <= 0) return over();
    shown.textContent = digits.format(left);
    const isShort = left <= WARN;
    clock.classList.toggle("short", isShort);
    if (still.hidden === isShort) {
      still.hidden = !isShort;
      still.textContent = isShort ? still.dataset.still : "";
    }
  }

  function over() {
    clearInterval(timer);
    document.querySelector("main").replaceChildren(); // at once, however long the way back takes
    document.title = "";
    location.replace(leave);
  }
}
