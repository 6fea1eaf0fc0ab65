// Atlassian's document format as nodes; what is a plain text stays one.

import { el } from "./dom.js";
import { link } from "./mrkdwn.js";

const NODES = {
  doc: (node) => inside(node),
  paragraph: (node) => el("p", {}, inside(node)),
  heading: (node) => el("h4", {}, inside(node)),
  bulletList: (node) => el("ul", {}, inside(node)),
  orderedList: (node) => el("ol", {}, inside(node)),
  listItem: (node) => el("li", {}, inside(node)),
  blockquote: (node) => el("blockquote", {}, inside(node)),
  panel: (node) => el("div", { class: "panel" }, inside(node)),
  expand: (node) => el("details", { class: "panel", open: true }, el("summary", {}, node.attrs?.title ?? "More"), inside(node)),
  codeBlock: (node) => el("pre", { tabindex: 0 }, inside(node)),
  rule: () => el("hr"),
  hardBreak: () => el("br"),
  mention: (node) => el("span", { class: "mention" }, node.attrs.text ?? `@${node.attrs.id}`),
  inlineCard: (node) => link(node.attrs.url),
  table: (node) => el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Table" }, el("table", {}, el("tbody", {}, inside(node)))),
  tableRow: (node) => el("tr", {}, inside(node)),
  tableHeader: (node) => el("th", {}, inside(node)),
  tableCell: (node) => el("td", {}, inside(node)),
  text: (node) => (node.marks ?? []).reduce(marked, node.text),
};
const MARKS = { strong: "strong", em: "em", code: "code", strike: "s", underline: "u" };

export function document_(value) {
  return typeof value === "string" ? el("p", { class: "wrap" }, value) : node(value);
}

const inside = ({ content = [] }) => content.map(node);
const node = (one) => (NODES[one.type] ?? inside)(one);

function marked(inner, { type, attrs }) {
  if (type === "link") return link(attrs.href, inner);
  return MARKS[type] ? el(MARKS[type], {}, inner) : inner;
}
