/* Passkeys: a form with data-passkey ("get" or "create") asks the device when sent and posts its answer in `credential`.
   The question comes in data-options, or from data-options-from when pressed. Without support the form stays hidden. */
"use strict";

const supported = "PublicKeyCredential" in window && "credentials" in navigator;

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (supported) {
    form.hidden = false;
    form.addEventListener("submit", (event) => ask(event, form));
  }
}
for (const notice of document.querySelectorAll("[data-no-passkey]")) {
  notice.hidden = supported;
}

async function ask(event, form) {
  event.preventDefault();
  const button = form.querySelector("button");
  const status = form.querySelector("[role=status]");
  button.disabled = true;
  status.textContent = "";
  try {
    form.elements.credential.value = JSON.stringify(await answer(form));
    form.submit(); // without another submit event
  } catch {
    delete form.dataset.sent; // me.js lets a form go once
    status.textContent = form.dataset.failed;
    button.disabled = false;
  }
}

async function answer(form) {
  const { passkey, options, optionsFrom } = form.dataset;
  const { publicKey } = options ? JSON.parse(options) : await question(optionsFrom);
  const credential =
    passkey === "create"
      ? await navigator.credentials.create({ publicKey: decoded(publicKey) })
      : await navigator.credentials.get({ publicKey: decoded(publicKey) });
  return encoded(credential);
}

async function question(address) {
  const response = await fetch(address, { headers: { Accept: "application/json" }, credentials: "same-origin" });
  if (!response.ok) {
    throw new Error(String(response.status));
  }
  return response.json();
}

/** What the device understands, of what JSON can carry. */
function decoded(publicKey) {
  const withBytes = (list) => (list ?? []).map((item) => ({ ...item, id: bytes(item.id) }));
  const options = { ...publicKey, challenge: bytes(publicKey.challenge) };
  if (publicKey.user) {
    options.user = { ...publicKey.user, id: bytes(publicKey.user.id) };
    options.excludeCredentials = withBytes(publicKey.excludeCredentials);
  } else {
    options.allowCredentials = withBytes(publicKey.allowCredentials);
  }
  return options;
}

/** What JSON can carry, of what the device answered. */
function encoded(credential) {
  const { response } = credential;
  const parts = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[name]) {
      parts[name] = text(response[name]);
    }
  }
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    clientExtensionResults: credential.getClientExtensionResults(),
    authenticatorAttachment: credential.authenticatorAttachment,
    response: parts,
  };
}

function bytes(base64url) {
  const base64 = base64url.replace(/-/g, "+").replace(/_/g, "/");
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

function text(buffer) {
  const letters = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(letters).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
