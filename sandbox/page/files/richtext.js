// Slack's rich_text as nodes.

import { el } from "./dom.js";
import { channelName, link, mention, personName } from "./mrkdwn.js";

const CONTAINERS = {
  rich_text_section: (part) => el("span", { class: "rich" }, part.elements.map(leaf)),
  rich_text_preformatted: (part) => el("pre", { tabindex: 0 }, part.elements.map(leaf)),
  rich_text_quote: (part) => el("blockquote", {}, part.elements.map(leaf)),
  rich_text_list: (part) => el(part.style === "ordered" ? "ol" : "ul", { class: `indent-${part.indent ?? 0}` },
    part.elements.map((item) => el("li", {}, item.elements.map(leaf)))),
};
const LEAVES = {
  text: (part) => part.text,
  link: (part) => link(part.url, part.text),
  user: (part) => mention(`@${personName(part.user_id)}`),
  channel: (part) => mention(`#${channelName(part.channel_id)}`),
  usergroup: (part) => mention(`@${part.usergroup_id}`),
  broadcast: (part) => mention(`@${part.range}`),
  emoji: (part) => (part.unicode ? String.fromCodePoint(...part.unicode.split("-").map((code) => parseInt(code, 16))) : `:${part.name}:`),
  date: (part) => part.fallback ?? new Date(part.timestamp * 1000).toUTCString(),
};
const STYLES = [["bold", "strong"], ["italic", "em"], ["strike", "s"], ["code", "code"]];

// Sections that follow each other are paragraphs; Slack draws them as lines of one text.
export const richText = (elements) => elements.map((part) => CONTAINERS[part.type]?.(part) ?? `[${part.type}]`);

function leaf(part) {
  const node = LEAVES[part.type]?.(part) ?? `[${part.type}]`;
  return STYLES.reduce((inner, [name, tag]) => (part.style?.[name] ? el(tag, {}, inner) : inner), node);
}
