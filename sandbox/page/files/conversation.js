// A place's messages, oldest first, with threads below the message they belong to; or a person's Home.

import { blocks } from "./blocks.js";
import { byId, day, el, hour, replace, tablist } from "./dom.js";
import { mrkdwn, personName } from "./mrkdwn.js";
import { act, changed, constants, items, listen, me, ofKind } from "./store.js";

const HOME = "home", TOLERANCE = 80; // px from the end that still count as the end
const nodes = new Map(); // of messages, by id
const opened = new Set(); // threads that are open, by id
let shown = "";

export function showConversation() {
  listen((ids, first) => {
    const place = `${me.user} ${me.place}`;
    if (place !== shown || [...ids].some(isHere)) draw(place, ids, first);
    places();
  });
}

function isHere(id) {
  return /^[meh]:/.test(id) || id === "workspace";
}

export function choosePlace(id) {
  me.place = id;
  if (id === HOME) act("home", {});
  changed();
}

const own = () => `D${me.user.slice(1)}`;

function places() {
  const { channels, users } = items.get("workspace");
  const tabs = [...channels.map(({ id, name }) => [id, `# ${name}`, "conversation"]), [own(), "scrumbut", "conversation"], [HOME, "Home", "conversation"]];
  tablist(byId("places"), tabs, me.place, choosePlace);
  const person = byId("person");
  if (person.children.length !== Object.keys(users).length) {
    replace(person, Object.keys(users).map((id) => el("option", { value: id, selected: id === me.user }, personName(id))));
    person.onchange = () => {
      const inOwn = me.place === own();
      me.user = person.value;
      choosePlace(inOwn ? own() : me.place);
    };
  }
}

function draw(place, ids, first) {
  const panel = byId("conversation"), fresh = place !== shown;
  const atEnd = fresh || panel.scrollHeight - panel.scrollTop - panel.clientHeight < TOLERANCE;
  if (fresh) nodes.clear();
  shown = place;
  byId("composer").hidden = me.place === HOME;
  if (me.place === HOME) replace(panel, home());
  else messages(panel, ids, fresh || first);
  if (atEnd) panel.scrollTop = me.place === HOME ? 0 : panel.scrollHeight;
}

function home() {
  const mine = items.get(`h:${me.user}`);
  if (!mine) return el("p", { class: "empty" }, "One moment …");
  return el("div", { class: "home" }, el("h2", { class: "unseen" }, "Home"), blocks(mine.content.blocks, (block, one, chosen) =>
    act("use_in", { view: mine.id, block, action_id: one.action_id, chosen }), () => ({ view: mine.id })));
}

function messages(panel, ids, quiet) {
  const all = ofKind("message").filter((one) => one.channel === me.place && (!one.only || one.only === me.user))
    .sort((one, other) => one.ts - other.ts);
  const below = new Map();
  for (const one of all) if (isReply(one)) below.set(one.thread_ts, [...(below.get(one.thread_ts) ?? []), one]);
  const roots = all.filter((one) => !isReply(one));
  replace(panel, roots.length ? byDay(roots, (one) => kept(one, below.get(one.ts) ?? [], ids, quiet)) : el("p", { class: "empty" }, "Nothing was said here yet."));
}

const isReply = (one) => one.thread_ts && one.thread_ts !== one.ts;

function byDay(roots, make) {
  let last = "";
  return roots.flatMap((one) => {
    const today = day(new Date(one.ts * 1000));
    const heading = today === last ? [] : [el("h2", { class: "day" }, today)];
    last = today;
    return [...heading, make(one)];
  });
}

// The node of a message, made anew only where it or its thread changed: what somebody looks at must not jump.
function kept(one, thread, ids, quiet) {
  const parts = [one, ...thread], known = nodes.get(one.key_);
  const told = parts.filter((part) => ids.has(part.key_));
  if (known && known.count === parts.length && !told.length) return known.node;
  if (!quiet && told.some(isReply)) opened.add(one.key_);
  const node = message(one, thread);
  if (!quiet && told.length) node.classList.add("new");
  nodes.set(one.key_, { node, count: parts.length });
  return node;
}

function message(one, thread) {
  return el("article", { class: one.only ? "message alone" : "message", "aria-label": `${author(one)}, ${hour(at(one))}` },
    said(one), thread.length > 0 && el("details", {
      class: "thread", open: opened.has(one.key_), ontoggle: (event) => opened[event.currentTarget.open ? "add" : "delete"](one.key_),
    }, el("summary", {}, thread.length === 1 ? "1 answer" : `${thread.length} answers`), thread.map((reply) => el("div", { class: "reply" }, said(reply)))));
}

const at = (one) => new Date(one.ts * 1000);
const author = (one) => (one.user === "U0BOT" ? "scrumbut" : personName(one.user));

function said(one) {
  const typed = one.user !== "U0BOT" && one.text.startsWith(constants.command);
  const notes = [one.only && "only visible to you", one.edited && "edited", typed && "typed; Slack shows it to nobody"].filter(Boolean);
  return [
    el("div", { class: "by" }, el("span", { class: one.user === "U0BOT" ? "face bot" : "face", "aria-hidden": "true" }, author(one)[0]),
      el("strong", {}, author(one)), el("time", { datetime: at(one).toISOString() }, hour(at(one))), notes.length > 0 && el("span", { class: "note" }, notes.join(" · ")), more(one)),
    el("div", { class: typed ? "body typed" : "body" }, one.blocks.length ? blocks(one.blocks, (block, element, chosen) => use(one, block, element, chosen), () => ({}))
      : el("div", { class: "text" }, mrkdwn(one.text))),
  ];
}

const named = (one) => (one.only ? { channel: one.channel, number: one.number } : { channel: one.channel, ts: one.ts });

function use(one, block, element, chosen) {
  if (element.url) return;
  act("use", { ...named(one), block, action_id: element.action_id, chosen });
}

// The shortcuts on a message, as Slack has them behind its three dots.
function more(one) {
  const offered = constants.shortcuts.filter(({ on_message }) => on_message);
  if (one.only || !offered.length) return null;
  const menu = el("details", { class: "menu" }, el("summary", { "aria-label": "Shortcuts on this message" }, "⋯"),
    el("ul", {}, offered.map(({ callback_id, name }) => el("li", {}, el("button", {
      type: "button", onclick: () => { menu.open = false; act("shortcut", { ...named(one), callback_id }); },
    }, name)))));
  return menu;
}
