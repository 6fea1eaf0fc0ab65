// Block Kit's elements that a person uses. `use(element, chosen)` is told of a click or a choice; an input's node has
// `read()`, which gives what stands in it, as text or a list of texts.

import { combobox } from "./combobox.js";
import { el } from "./dom.js";
import { personName } from "./mrkdwn.js";
import { act, items, me } from "./store.js";

const LOOKS = {
  button, overflow, static_select: select, radio_buttons: radios, checkboxes, external_select: searched,
  users_select: people, conversations_select: channels, channels_select: channels, plain_text_input: text,
  number_input: number, email_text_input: (e) => text(e, "email"), url_text_input: (e) => text(e, "url"),
  datepicker: (e, use) => moment(e, use, "date", e.initial_date), timepicker: (e, use) => moment(e, use, "time", e.initial_time),
};

export function element(one, use, where) {
  const made = LOOKS[one.type];
  return made ? made(one, use, where) : el("span", { class: "unknown" }, `[${one.type}]`);
}

function button(one, use) {
  const look = one.style ? { class: one.style } : {};
  const label = one.text.text;
  if (one.url) return el("a", { ...look, class: "button", href: one.url, target: "_blank", rel: "noopener noreferrer", onclick: () => use(one, "") }, label);
  return el("button", { type: "button", ...look, "aria-label": one.accessibility_label, onclick: () => { if (sure(one)) use(one, ""); } }, label);
}

const sure = ({ confirm }) => !confirm || window.confirm(`${confirm.title.text}\n\n${confirm.text.text}`);

function overflow(one, use) {
  const menu = el("details", { class: "menu" }, el("summary", { "aria-label": "More" }, "⋯"),
    el("ul", {}, one.options.map((option) => el("li", {}, el("button", {
      type: "button", onclick: () => { menu.open = false; use(one, option.value); },
    }, option.text.text)))));
  return menu;
}

const optionsOf = ({ options, option_groups }) => (option_groups ? option_groups.flatMap((group) => group.options) : options ?? []);

function select(one, use) {
  return choice(one, use, optionsOf(one).map(({ value, text: words }) => [value, words.text]), one.initial_option?.value);
}

function people(one, use) {
  const users = Object.keys(items.get("workspace").users);
  return choice(one, use, users.map((id) => [id, personName(id)]), one.initial_user);
}

function channels(one, use) {
  const known = items.get("workspace").channels.map(({ id, name }) => [id, `#${name}`]);
  const here = one.default_to_current_conversation && known.some(([id]) => id === me.place) ? me.place : "";
  return choice(one, use, known, one.initial_conversation ?? one.initial_channel ?? here);
}

function choice(one, use, options, initial = "") {
  const node = el("select", { "aria-label": one.placeholder?.text, onchange: () => use(one, node.value) },
    el("option", { value: "" }, one.placeholder?.text ?? "Choose"),
    options.map(([value, words]) => el("option", { value, selected: value === initial }, words)));
  return Object.assign(node, { read: () => node.value });
}

function searched(one, use, where) {
  const input = el("input", {
    type: "text", role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list", spellcheck: "false",
    placeholder: one.placeholder?.text ?? "Search", ".value": one.initial_option?.text.text ?? "",
  });
  const list = el("ul", { role: "listbox", "aria-label": "Found", hidden: true });
  let chosen = one.initial_option?.value ?? "", words = input.value;
  const suggest = async (query) => found(await act("options", { ...where(), query: query === words ? "" : query }));
  const take = (option) => { chosen = option.value; words = input.value = option.text; use(one, chosen); };
  combobox(input, list, { suggest, take });
  return Object.assign(el("div", { class: "completing" }, list, input), { read: () => (input.value === words ? chosen : input.value), field: input });
}

const found = (answer) => (answer?.options ?? []).map(({ value, text: words }) => ({ value, text: words.text }));

function radios(one, use, where) {
  const group = `radio-${where().block_id}`;
  const node = el("div", { role: "radiogroup", class: "choices" }, one.options.map((option) => el("label", {},
    el("input", { type: "radio", name: group, value: option.value, checked: option.value === one.initial_option?.value, onchange: () => use(one, option.value) }),
    option.text.text)));
  return Object.assign(node, { read: () => node.querySelector(":checked")?.value ?? "" });
}

function checkboxes(one) {
  const initial = (one.initial_options ?? []).map(({ value }) => value);
  const node = el("div", { class: "choices" }, one.options.map((option) => el("label", {},
    el("input", { type: "checkbox", value: option.value, checked: initial.includes(option.value) }), option.text.text)));
  return Object.assign(node, { read: () => [...node.querySelectorAll(":checked")].map(({ value }) => value) });
}

function text(one, kind = "text") {
  const shared = { maxlength: one.max_length, minlength: one.min_length, placeholder: one.placeholder?.text };
  const node = one.multiline ? el("textarea", { ...shared, rows: 3 }) : el("input", { ...shared, type: typeof kind === "string" ? kind : "text" });
  node.value = one.initial_value ?? "";
  return Object.assign(node, { read: () => node.value });
}

function number(one) {
  const node = el("input", { type: "number", step: one.is_decimal_allowed ? "any" : 1, min: one.min_value, max: one.max_value, ".value": one.initial_value ?? "" });
  return Object.assign(node, { read: () => node.value });
}

function moment(one, use, kind, initial = "") {
  const node = el("input", { type: kind, ".value": initial, "aria-label": one.placeholder?.text ?? kind, onchange: () => use(one, node.value) });
  return Object.assign(node, { read: () => node.value });
}
