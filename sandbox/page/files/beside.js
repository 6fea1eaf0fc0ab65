// The right side: Jira's issues, the report in a frame, and the bench where models are trained.

import { document_ } from "./adf.js";
import { byId, el, hour, day, replace, tablist } from "./dom.js";
import { act, constants, items, listen, ofKind, tell } from "./store.js";

const PANELS = ["jira", "report", "bench"];
const REDRAW_MS = 1500; // a report is made anew at most so often
let chosen = "jira", issue = "", document = "", late = null;
const news = new Set();

export function showBeside() {
  listen((ids, first) => {
    const told = [...ids].some((id) => id.startsWith("i:"));
    if (told) { if (!first && chosen !== "jira") news.add("jira"); jira(first ? new Set() : ids); }
    if (ids.has("documents")) documents();
    if (ids.has("bench")) bench();
    if (!first && [...ids].some((id) => /^[im]:/.test(id))) reportLater();
    tabs();
  });
}

export function chooseBeside(id, values = {}) {
  chosen = id;
  news.delete(id);
  PANELS.forEach((name) => { byId(name).hidden = name !== id; });
  byId("besides").closest("main").dataset.side = "beside";
  byId("besides").ownerDocument.dispatchEvent(new CustomEvent("side"));
  for (const [name, value] of Object.entries(values)) { const field = byId(`bench-${name}`); if (field) field.value = value; }
  tabs();
}

function tabs() {
  const names = { jira: "Jira", report: "Report", bench: constants.bench.name };
  tablist(byId("besides"), PANELS.map((id) => [id, [names[id], news.has(id) && el("span", { class: "news", title: "changed" }, " •")], id]), chosen, chooseBeside);
}

// Jira

const STATES = { new: "○", indeterminate: "◐", done: "●" };
const number = ({ key }) => Number(key.split("-")[1]);

function jira(ids) {
  const issues = ofKind("issue").sort((one, other) => number(other) - number(one));
  if (!issues.some(({ key }) => key === issue)) issue = issues.toSorted((one, other) => (one.updated < other.updated ? 1 : -1))[0]?.key ?? "";
  const fresh = issues.find((one) => ids.has(one.key_));
  if (fresh) issue = fresh.key; // whoever works on the left sees here what it does
  const scroll = byId("jira").querySelector(".issue")?.scrollTop ?? 0;
  replace(byId("jira"), el("ul", { class: "issues" }, issues.map((one) => row(one, ids))), detail(issues.find(({ key }) => key === issue)));
  byId("jira").querySelector(".issue").scrollTop = fresh ? 0 : scroll;
}

function row(one, ids) {
  return el("li", { class: ids.has(one.key_) ? "new" : null }, el("button", {
    type: "button", "aria-pressed": String(one.key === issue), onclick: () => { issue = one.key; jira(new Set()); byId("jira").querySelector(`[data-key="${one.key}"]`)?.focus(); }, "data-key": one.key,
  }, el("span", { class: "key" }, one.key), el("span", { class: "summary" }, one.summary), status(one)));
}

const status = (one) => el("span", { class: `status ${one.category}` }, el("span", { "aria-hidden": "true" }, STATES[one.category]), ` ${one.status}`, one.resolution && one.resolution !== "Done" ? `, ${one.resolution}` : "");

function detail(one) {
  if (!one) return el("p", { class: "empty issue" }, "No issue yet.");
  return el("article", { class: "issue", "aria-label": one.key, tabindex: 0 },
    el("p", { class: "eyebrow" }, `${one.key} · ${one.type}`), el("h2", {}, one.summary), moves(one),
    facts([["Assignee", one.assignee], ["Priority", one.priority], ["Labels", one.labels.join(", ")], ["Due", one.duedate], ["Resolution", one.resolution]]),
    part("Description", one.description && el("div", { class: "text" }, document_(one.description))),
    part("Links", one.links.length > 0 && el("ul", { class: "plain" }, one.links.map(remote))),
    part("Comments", one.comments.length > 0 && one.comments.map(comment)),
    part("Properties", Object.keys(one.properties).length > 0 && facts(Object.entries(one.properties).map(([name, value]) => [name, el("code", {}, typeof value === "string" ? value : JSON.stringify(value))]))),
    part("History", one.history.length > 0 && el("ul", { class: "plain" }, one.history.toReversed().map(entry))));
}

const part = (title, content) => content && el("section", {}, el("h3", {}, title), content);

// What somebody may do in Jira by hand; the bot hears of it when it next reads.
function moves(one) {
  const select = el("select", { id: "status", onchange: () => { act("status", { key: one.key, status: select.value }); tell("Done in Jira by hand. The bot reads Jira every ten minutes; /exp sync reads now."); } },
    ["To Do", "In Progress", "Done"].map((name) => el("option", { selected: name === one.status }, name)));
  return el("p", { class: "moves" }, status(one), el("label", { for: "status" }, "Move it by hand"), select);
}

function facts(pairs) {
  return el("dl", {}, pairs.filter(([, value]) => value).map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function remote({ url, title, summary, status: state }) {
  return el("li", {}, el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, title), summary && ` · ${summary}`, state?.resolved && " · resolved");
}

const when = (stamp) => { const at = new Date(stamp.replace(/([+-]\d\d)(\d\d)$/, "$1:$2")); return `${day(at)}, ${hour(at)}`; };

function comment({ author, created, body }) {
  return el("div", { class: "comment" }, el("p", { class: "eyebrow" }, `${author}, ${when(created)}`), el("div", { class: "text" }, document_(body)));
}

function entry({ author, created, items: lines }) {
  return lines.map(({ field, fromString: from, toString: to }) => el("li", {}, from || to ? `${field}: ${short(from)} → ${short(to)}` : `${field} changed`, el("span", { class: "eyebrow" }, ` ${author}, ${when(created)}`)));
}

const short = (text) => (!text ? "–" : text.length > 60 ? `${text.slice(0, 59)}…` : text);

// The report

function documents() {
  const all = items.get("documents").documents;
  if (!all.some(([id]) => id === document)) document = all[0]?.[0] ?? "";
  const select = el("select", { id: "document", onchange: () => { document = select.value; frame(); } }, all.map(([id, title]) => el("option", { value: id, selected: id === document }, title)));
  const panel = byId("report");
  const known = panel.querySelector("iframe");
  replace(panel, el("p", { class: "moves" }, el("label", { for: "document" }, "Report"), select), known ?? el("iframe", { title: "The report", sandbox: "allow-popups" }));
  if (!known) frame();
}

function frame() {
  byId("report").querySelector("iframe").src = `/documents/${encodeURIComponent(document)}`;
}

function reportLater() {
  if (document !== "now") return;
  if (chosen !== "report") news.add("report");
  clearTimeout(late);
  late = setTimeout(frame, REDRAW_MS);
}

// The bench

function bench() {
  const { fields, done } = items.get("bench"), panel = byId("bench");
  const before = Object.fromEntries(fields.map(({ name }) => [name, byId(`bench-${name}`)?.value]));
  const form = el("form", { onsubmit: (event) => { event.preventDefault(); train(form); } },
    el("p", { class: "text" }, constants.bench.about),
    fields.map(({ name, label, options }) => el("div", { class: "field" }, el("label", { class: "label", for: `bench-${name}` }, label),
      el("select", { id: `bench-${name}`, name }, options.map(([value, words]) => el("option", { value, selected: value === before[name] }, words))))),
    el("button", { type: "submit", class: "primary", disabled: panel.dataset.busy === "yes" }, constants.bench.button));
  const log = el("section", {}, el("h2", {}, "Trained so far"), el("ol", { class: "plain runs", reversed: true }, done.map((line) => el("li", {}, line))));
  replace(panel, form, log);
}

async function train(form) {
  const panel = byId("bench"), button = form.querySelector("button");
  panel.dataset.busy = "yes";
  button.disabled = true;
  tell("Training …");
  const answer = await act("bench", Object.fromEntries(new FormData(form)));
  panel.dataset.busy = "";
  bench();
  if (answer) tell(answer.said);
}
