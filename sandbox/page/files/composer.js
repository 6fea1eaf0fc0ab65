// The line that a person types, with completion of commands, options and words; and the way through, step by step.

import { combobox } from "./combobox.js";
import { byId, el, replace } from "./dom.js";
import { chooseBeside } from "./beside.js";
import { act, constants, items, me } from "./store.js";

const MOST = 8; // suggestions at a time
let step = 0;

export function showComposer() {
  const line = byId("line");
  line.dataset.enter = "sends";
  combobox(line, byId("suggestions"), { suggest, take: (option) => complete(line, option), eager: true });
  byId("composer").addEventListener("submit", (event) => { event.preventDefault(); send(line); });
  drawStep();
}

async function send(line) {
  const text = line.value.trim();
  if (!text) return;
  line.value = "";
  line.dispatchEvent(new Event("input"));
  const answer = await act("say", { text, channel: me.place });
  if (!answer) line.value = text; // it is mended more easily than typed again
  else if (said(constants.steps[step]) === text) turn(1);
}

// What may stand where the cursor is: the command, its verb, an option, the option's value, or a known word.
function suggest(text) {
  if (!text.startsWith("/")) return [];
  const { command, commands } = constants;
  if (command.startsWith(text)) return [{ text: command, about: "Experiments without sprints" }];
  if (!text.startsWith(`${command} `)) return [];
  const line = text.slice(command.length + 1), last = line.split(/\s/).at(-1);
  const verbs = commands.filter(({ name }) => name.startsWith(line) && name !== line).map(({ name, about }) => ({ text: name, about, whole: true }));
  return (verbs.length ? verbs : within(line, last)).slice(0, MOST);
}

function within(line, last) {
  const verb = constants.commands.filter(({ name }) => line.startsWith(`${name} `)).sort((one, other) => other.name.length - one.name.length)[0];
  const before = verb?.options.find(({ flag }) => flag === line.split(/\s/).at(-2));
  if (before?.choices.length) return before.choices.filter((one) => one.startsWith(last)).map((one) => ({ text: one, about: before.about }));
  if (last.startsWith("--")) return (verb?.options ?? []).filter(({ flag }) => flag.startsWith(last) && flag !== last).map(({ flag, about }) => ({ text: flag, about }));
  if (!verb || last.length < 2) return [];
  return items.get("words").words.filter(([word]) => word.toLowerCase().startsWith(last.toLowerCase()) && word !== last).map(([word, about]) => ({ text: word, about }));
}

function complete(line, option) {
  const { command } = constants;
  const kept = option.whole ? `${command} ` : line.value.slice(0, line.value.length - line.value.split(/\s/).at(-1).length);
  line.value = `${option.text === command ? "" : kept}${option.text} `;
  line.dispatchEvent(new Event("input"));
}

const said = (one) => (one?.line ? `${constants.command} ${one.line}` : "");

function turn(by) {
  step = Math.max(0, Math.min(constants.steps.length - 1, step + by));
  drawStep();
}

function drawStep() {
  const { steps } = constants, one = steps[step];
  const turner = (by, label, sign) => el("button", { type: "button", class: "quiet", "aria-label": label, disabled: !steps[step + by], onclick: () => turn(by) }, sign);
  replace(byId("guide"), turner(-1, "Step before", "←"), el("span", { class: "step" }, `${step + 1} of ${steps.length}`),
    el("span", { class: "about" }, one.about), el("button", { type: "button", onclick: () => follow(one) }, one.line ? "Type it for me" : "Open the bench"), turner(1, "Next step", "→"));
}

function follow(one) {
  if (!one.line) {
    chooseBeside("bench", one.bench);
    turn(1);
    return;
  }
  const line = byId("line");
  line.value = said(one);
  line.focus();
}
