// The few words of the DOM that everything here is made of. Text only ever becomes text: nothing parses HTML.

const SVG = "http://www.w3.org/2000/svg";

// A new element: attributes by name, listeners as `onclick`, properties as `.value`; null and false are left out.
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name.startsWith(".")) node[name.slice(1)] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const byId = (id) => document.getElementById(id);

export function replace(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter(Boolean));
}

// Tabs as the ARIA practices have them: one is in the tab order, arrows move. `tabs` are [id, label, panel].
export function tablist(node, tabs, chosen, choose) {
  const kept = document.activeElement?.parentElement === node;
  replace(node, tabs.map(([id, label, panel]) => el("button", {
    type: "button", role: "tab", "data-tab": id, "aria-controls": panel, "aria-selected": String(id === chosen),
    tabindex: id === chosen ? 0 : -1, onclick: () => choose(id), onkeydown: (event) => move(event, node),
  }, label)));
  if (kept) node.querySelector('[aria-selected="true"]')?.focus();
}

function move(event, node) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const tabs = [...node.children];
  const next = tabs[(tabs.indexOf(event.currentTarget) + step + tabs.length) % tabs.length];
  next.focus();
  next.click();
}

export function day(at) {
  return at.toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
}

export function hour(at) {
  return at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
}
