/* The button that asks to be told on this device. Without support, or once refused, it stays hidden.
   It asks for permission only when pressed. Texts and addresses come with the page; see push.html. */
"use strict";

for (const offer of document.querySelectorAll("[data-push]")) {
  const supported = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
  if (supported && Notification.permission !== "denied") {
    offer.hidden = false;
    offer.querySelector("button").addEventListener("click", () => press(offer));
  }
}

async function press(offer) {
  const button = offer.querySelector("button");
  const { key, subscribe, worker } = offer.dataset;
  button.disabled = true;
  say(offer, "");
  try {
    if ((await Notification.requestPermission()) !== "granted") {
      say(offer, offer.dataset.denied);
      button.disabled = Notification.permission === "denied";
      return;
    }
    const registration = await navigator.serviceWorker.register(worker, { scope: "/" });
    await navigator.serviceWorker.ready;
    const answer = await fetch(subscribe, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(await subscription(registration.pushManager, key)),
      credentials: "omit",
    });
    if (!answer.ok) {
      throw new Error(String(answer.status));
    }
    say(offer, offer.dataset.done);
    button.hidden = true;
  } catch {
    say(offer, offer.dataset.failed);
    button.disabled = false;
  }
}

/** This browser's subscription under our key; one made under an older key of ours is given up. */
async function subscription(manager, key) {
  const wanted = { userVisibleOnly: true, applicationServerKey: key };
  try {
    return await manager.subscribe(wanted);
  } catch (error) {
    const old = await manager.getSubscription();
    if (error.name !== "InvalidStateError" || old === null) {
      throw error;
    }
    await old.unsubscribe();
    return manager.subscribe(wanted);
  }
}

function say(offer, text) {
  offer.querySelector("[role=status]").textContent = text;
}
