// Block Kit's blocks as nodes. `use(place, element, chosen)` is told what a person did in which block.

import { chart } from "./charts.js";
import { el } from "./dom.js";
import { element } from "./elements.js";
import { mrkdwn, plainText } from "./mrkdwn.js";
import { richText } from "./richtext.js";

const LOOKS = {
  header: ({ text }) => el("h3", {}, text.text),
  section, context, actions,
  rich_text: ({ elements }) => el("div", { class: "text" }, richText(elements)),
  divider: () => el("hr"),
  image: (block) => picture(block),
  markdown: ({ text }) => el("div", { class: "text" }, text),
  data_visualization: (block) => el("figure", {}, el("figcaption", {}, block.title), chart(block)),
  data_table: ({ caption, rows }) => table(rows, caption),
  table: ({ rows }) => table(rows),
  context_actions: actions,
  alert: ({ text }) => el("p", { class: "alert" }, words(text)),
  file: () => el("p", { class: "unknown" }, "[file]"),
  video: ({ title_url: url, title }) => el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, title.text),
};

export function blocks(all, use, where) {
  return all.map((block, place) => {
    const look = LOOKS[block.type];
    return look ? look(block, (one, chosen) => use(place, one, chosen), where) : el("p", { class: "unknown" }, `[${block.type}]`);
  });
}

export const words = (text) => (text.type === "mrkdwn" ? mrkdwn(text.text) : plainText(text.text));

function section({ text, fields = [], accessory }, use, where) {
  return el("div", { class: "section" },
    el("div", { class: "text" }, text && words(text), fields.length > 0 && el("div", { class: "fields" }, fields.map((field) => el("div", {}, words(field))))),
    accessory && (accessory.type === "image" ? picture(accessory) : element(accessory, use, where)));
}

function context({ elements }) {
  return el("div", { class: "context" }, elements.map((one) => (one.type === "image" ? picture(one) : el("span", {}, words(one)))));
}

function actions({ elements }, use, where) {
  return el("div", { class: "actions" }, elements.map((one) => element(one, use, where)));
}

function picture({ slack_file: file, image_url: url, alt_text: alt, title }) {
  const source = file ? `/uploads/${encodeURIComponent(file.id)}` : url;
  return el("figure", {}, title && el("figcaption", {}, title.text), el("img", { src: source, alt, loading: "lazy" }));
}

function table([head, ...body], caption) {
  const right = head.map((_, column) => body.every((row) => /^[\s\d.,%+−–-]*$/.test(textOf(row[column]))));
  const cells = (row, tag) => row.map((cell, column) => el(tag, { class: right[column] ? "right" : null, scope: tag === "th" ? "col" : null }, cellOf(cell)));
  return el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": caption ?? "Table" }, el("table", {},
    caption && el("caption", {}, caption), el("thead", {}, el("tr", {}, cells(head, "th"))),
    el("tbody", {}, body.map((row) => el("tr", {}, cells(row, "td"))))));
}

const textOf = (cell) => String(cell?.text ?? cell?.value ?? "");
const cellOf = (cell) => (cell.elements ? richText(cell.elements) : textOf(cell));
