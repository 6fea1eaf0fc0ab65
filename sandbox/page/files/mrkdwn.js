// Slack's mrkdwn as nodes. What is not markup stays the text it is.

import { el } from "./dom.js";
import { items } from "./store.js";

const PIECES = /```([\s\S]+?)```|`([^`\n]+)`|<([^<>\s][^<>]*)>|(?<![\w*])\*(\S(?:[^*\n]*\S)?)\*(?![\w*])|(?<![\w_])_(\S(?:[^_\n]*\S)?)_(?![\w_])|(?<![\w~])~(\S(?:[^~\n]*\S)?)~(?![\w~])/g;
const ENTITIES = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };

export const plainText = (text) => text.replace(/&(?:lt|gt|amp);/g, (entity) => ENTITIES[entity]);

export function mrkdwn(text) {
  const lines = text.split("\n");
  const quoted = lines.some((line) => line.startsWith("&gt;"));
  return quoted ? lines.map(quote) : inline(text);
}

function quote(line) {
  return line.startsWith("&gt;") ? el("blockquote", {}, inline(line.slice(4).trimStart())) : [inline(line), "\n"];
}

function inline(text) {
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(PIECES)) {
    nodes.push(plainText(text.slice(end, found.index)), piece(found));
    end = found.index + found[0].length;
  }
  return [...nodes, plainText(text.slice(end))];
}

function piece([whole, pre, code, angle, bold, italic, struck]) {
  if (pre !== undefined) return el("pre", { tabindex: 0 }, plainText(pre));
  if (code !== undefined) return el("code", {}, plainText(code));
  if (bold !== undefined) return el("strong", {}, inline(bold));
  if (italic !== undefined) return el("em", {}, inline(italic));
  if (struck !== undefined) return el("s", {}, inline(struck));
  return named(angle) ?? plainText(whole);
}

function named(angle) {
  const [target, words] = angle.split("|");
  if (target.startsWith("@")) return mention(`@${personName(target.slice(1))}`);
  if (target.startsWith("#")) return mention(`#${words || channelName(target.slice(1))}`);
  if (target.startsWith("!")) return mention(target.startsWith("!date") ? words : `@${target.slice(1).split("^")[0]}`);
  return /^(https?|mailto):/.test(target) ? link(target, words && plainText(words)) : null;
}

export const mention = (words) => el("span", { class: "mention" }, words);

export function link(url, words) {
  const safe = /^(https?|mailto):/.test(url);
  return safe ? el("a", { href: plainText(url), target: "_blank", rel: "noopener noreferrer" }, words || url) : words || url;
}

export function personName(id) {
  const name = items.get("workspace")?.users[id];
  return name ? name[0].toUpperCase() + name.slice(1) : id === "U0BOT" ? "scrumbut" : id;
}

export function channelName(id) {
  return items.get("workspace")?.channels.find((channel) => channel.id === id)?.name ?? id;
}
