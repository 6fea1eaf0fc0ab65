// The modal that a person has open: the top of their stack, in a <dialog>.

import { blocks } from "./blocks.js";
import { byId, el, replace } from "./dom.js";
import { element } from "./elements.js";
import { act, items, listen, me, tell } from "./store.js";

let open = null; // {id, text, inputs: Map(block_id → {node, action_id, label, optional})}

export function showModal() {
  const dialog = byId("modal");
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); close(); });
  listen(() => follow(items.get(`v:${me.user}`), dialog));
}

function follow(view, dialog) {
  const text = view && JSON.stringify(view.content);
  if (!view) {
    open = null;
    if (dialog.open) dialog.close();
  } else if (view.id !== open?.id || text !== open.text) {
    draw(view, text, dialog);
  }
}

// Slack keeps what was typed into an input of the same ids when its view is updated; so does this.
function draw(view, text, dialog) {
  const before = view.id === open?.id ? open.inputs : new Map();
  open = { id: view.id, text, inputs: new Map() };
  const form = el("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); send(); } },
    el("div", { class: "head" }, el("h2", { id: "modal-title" }, view.content.title.text),
      el("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: close }, "×")),
    el("div", { class: "fields" }, view.content.blocks.map((block, place) => (block.type === "input" ? input(block, place, before) : other(block, place)))),
    el("div", { class: "foot" }, el("button", { type: "button", onclick: close }, view.content.close?.text ?? "Cancel"),
      view.content.submit && el("button", { type: "submit", class: "primary" }, view.content.submit.text)));
  replace(dialog, form);
  if (!dialog.open) dialog.showModal();
  form.querySelector(".fields :is(input, select, textarea)")?.focus();
}

function other(block, place) {
  return blocks([block], (_, one, chosen) => use(place, one, chosen), () => where(block));
}

const where = (block) => ({ view: open.id, block_id: block.block_id });

function input(block, place, before) {
  const { block_id: id, element: one, optional } = block;
  const node = element(one, (_, chosen) => { if (block.dispatch_action) use(place, one, chosen); }, () => where(block));
  restore(node, before.get(id), one);
  const field = node.field ?? node, single = !["checkboxes", "radio_buttons"].includes(one.type);
  if (single) { field.id = `field-${id}`; field.setAttribute("aria-describedby", `hint-${id} error-${id}`); if (!optional) field.setAttribute("aria-required", "true"); }
  else { node.setAttribute("role", node.getAttribute("role") ?? "group"); node.setAttribute("aria-labelledby", `label-${id}`); }
  open.inputs.set(id, { node, field, action_id: one.action_id, optional });
  return el("div", { class: "field" },
    el(single ? "label" : "span", { class: "label", id: `label-${id}`, for: single ? `field-${id}` : null }, block.label.text, optional && el("span", { class: "optional" }, " optional")),
    node, el("p", { class: "error", id: `error-${id}`, hidden: true }), block.hint && el("p", { class: "hint", id: `hint-${id}` }, block.hint.text));
}

function restore(node, known, one) {
  if (known?.action_id !== one.action_id || !("value" in node) || !("value" in known.node)) return;
  if (known.node.value) node.value = known.node.value;
}

function values() {
  return Object.fromEntries([...open.inputs].map(([id, { node }]) => [id, node.read()]));
}

function use(place, one, chosen) {
  act("use_in", { view: open.id, block: place, action_id: one.action_id, chosen, values: values() });
}

async function send() {
  errors({});
  const given = values();
  const missing = [...open.inputs].filter(([id, { optional }]) => !optional && !given[id].length).map(([id]) => [id, "Please fill this in."]);
  if (missing.length) { errors(Object.fromEntries(missing)); return; }
  const answer = await act("send", { view: open.id, values: given });
  if (answer && Object.keys(answer.errors).length) errors(answer.errors);
}

function errors(told) {
  for (const [id, { field }] of open.inputs) {
    const words = byId(`error-${id}`);
    words.textContent = told[id] ?? "";
    words.hidden = !told[id];
    field.setAttribute("aria-invalid", String(Boolean(told[id])));
  }
  const first = Object.keys(told)[0];
  if (first) { open.inputs.get(first)?.field.focus(); tell(told[first], true); }
}

function close() {
  if (open) act("close", { view: open.id });
}
