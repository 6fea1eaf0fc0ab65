// The page: begins once the constants are here, then follows what changes.

import { showBeside } from "./beside.js";
import { showComposer } from "./composer.js";
import { showConversation } from "./conversation.js";
import { byId, day, hour } from "./dom.js";
import { showModal } from "./modal.js";
import { act, begin, items, listen } from "./store.js";

const MONDAY = 1, NINE = 9, MINUTE_MS = 60_000;

function showClock() {
  listen((ids) => {
    if (!ids.has("clock")) return;
    const at = now();
    byId("clock").textContent = `${day(at)}, ${hour(at)} UTC`;
  });
  document.querySelectorAll("[data-minutes]").forEach((button) => {
    button.addEventListener("click", () => act("forward", { minutes: Number(button.dataset.minutes) }));
  });
  byId("monday").addEventListener("click", () => act("forward", { minutes: (nextMonday(now()) - now()) / MINUTE_MS }));
}

const now = () => new Date(items.get("clock").at * 1000);

function nextMonday(at) {
  const next = new Date(at);
  next.setUTCHours(NINE, 0, 0, 0);
  while (next <= at || next.getUTCDay() !== MONDAY) next.setUTCDate(next.getUTCDate() + 1);
  return next;
}

// On a narrow screen one side is seen at a time.
function showSides() {
  const main = document.querySelector("main"), buttons = document.querySelectorAll("[data-side]:not(main)");
  const follow = () => buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.side === main.dataset.side)));
  buttons.forEach((button) => button.addEventListener("click", () => { main.dataset.side = button.dataset.side; follow(); }));
  document.addEventListener("side", follow);
}

// A menu closes when something else is clicked.
document.addEventListener("click", (event) => {
  document.querySelectorAll("details.menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
});

showClock();
showConversation();
showBeside();
showModal();
showSides();
await begin();
showComposer();
