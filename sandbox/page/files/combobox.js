// A text field with suggestions, as the ARIA practices have it: arrows choose, Tab or Enter takes, Escape closes.

import { el, replace } from "./dom.js";

let boxes = 0;

// `suggest(text)` gives or promises [{text, about, …}]; `take(option)` is told which was chosen. With `eager` the first
// one is active from the start, so that Tab takes it. Returns `{close}`.
export function combobox(input, list, { suggest, take, eager = false }) {
  const box = { input, list, take, options: [], active: -1, asked: 0, prefix: `option-${boxes++}-` };
  const open = () => ask(box, suggest, eager);
  input.addEventListener("input", open);
  input.addEventListener("focus", () => { if (!eager) open(); });
  input.addEventListener("blur", () => close(box));
  input.addEventListener("keydown", (event) => press(event, box, open));
  return { close: () => close(box) };
}

async function ask(box, suggest, eager) {
  const asked = ++box.asked;
  const options = await suggest(box.input.value);
  if (asked !== box.asked) return; // the person has typed on since
  box.options = options;
  box.active = eager && options.length ? 0 : -1;
  draw(box);
}

function draw(box) {
  const shown = box.options.length > 0 && document.activeElement === box.input;
  replace(box.list, box.options.map((option, index) => el("li", {
    role: "option", id: box.prefix + index, "aria-selected": String(index === box.active),
    onmousedown: (event) => { event.preventDefault(); choose(box, index); },
  }, el("span", { class: "what" }, option.text), option.about && el("span", { class: "about" }, option.about))));
  box.list.hidden = !shown;
  box.input.setAttribute("aria-expanded", String(shown));
  if (shown && box.active >= 0) box.input.setAttribute("aria-activedescendant", box.prefix + box.active);
  else box.input.removeAttribute("aria-activedescendant");
  box.list.children[box.active]?.scrollIntoView({ block: "nearest" });
}

function press(event, box, open) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    if (box.list.hidden) { open(); return; }
    box.active = (box.active + step + box.options.length) % box.options.length;
    draw(box);
  } else if (event.key === "Escape" && !box.list.hidden) {
    event.preventDefault();
    event.stopPropagation();
    close(box);
  } else if (["Tab", "Enter"].includes(event.key) && !box.list.hidden && box.active >= 0) {
    if (event.key === "Enter" && box.input.dataset.enter === "sends") return;
    event.preventDefault();
    choose(box, box.active);
  }
}

function choose(box, index) {
  const option = box.options[index];
  close(box);
  box.take(option);
}

function close(box) {
  box.asked++;
  box.options = [];
  draw(box);
}
