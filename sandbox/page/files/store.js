// What the server told: the constants once, then items by id, as they change.

export const items = new Map();
export const me = { user: "U0ANA", place: "C0ML" };
export let constants = null;

const listeners = [];

// Called with the set of ids that changed, and whether it is the first time.
export function listen(listener) {
  listeners.push(listener);
}

export function changed(ids = new Set(items.keys()), first = false) {
  listeners.forEach((listener) => listener(ids, first));
}

export const ofKind = (kind) => [...items.values()].filter((item) => item.kind === kind);

export async function begin() {
  constants = await (await fetch("/constants")).json();
  const source = new EventSource("/changes");
  let first = true;
  source.addEventListener("open", () => { first = true; });
  source.addEventListener("message", (event) => {
    const told = JSON.parse(event.data);
    const gone = first ? [...items.keys()].filter((id) => !(id in told.set)) : told.gone;
    gone.forEach((id) => items.delete(id));
    for (const [id, item] of Object.entries(told.set)) items.set(id, { ...item, key_: id });
    changed(new Set([...gone, ...Object.keys(told.set)]), first);
    first = false;
  });
}

// Do something; the answer, or null after telling the person what was wrong.
export async function act(name, given) {
  const response = await fetch(`/acts/${name}`, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ user: me.user, ...given }),
  });
  const answer = await response.json();
  if (!response.ok) {
    tell(answer.error, true);
    return null;
  }
  if (answer.in_time === false) tell("The bot did not answer within three seconds; Slack would say that it timed out.", true);
  else if (answer.ms !== undefined) tell(`Answered in ${answer.ms} ms. Slack allows 3,000.`);
  return answer;
}

export function tell(words, wrong = false) {
  const told = document.getElementById("told");
  told.textContent = words;
  told.classList.toggle("wrong", wrong);
}
