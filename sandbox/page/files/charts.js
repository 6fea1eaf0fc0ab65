// Slack's data_visualization as SVG: line, area, bar and pie, with the numbers as the picture's words.

import { svg } from "./dom.js";

const WIDTH = 480, HEIGHT = 214, LEFT = 44, RIGHT = 92, TOP = 14, BOTTOM = 30, GAP = 15;
const NUMBER = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

export function chart(block) {
  const drawn = block.chart.type === "pie" ? pie(block.chart.segments) : axes(block.chart);
  const words = `${block.title}. ${inWords(block.chart)}`;
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words, class: "chart" }, drawn);
}

function inWords({ series, segments }) {
  if (segments) return segments.map(({ label, value }) => `${label} ${NUMBER.format(value)}`).join(", ");
  return series.map(({ name, data }) => `${name}: ${data.map(({ label, value }) => `${label} ${NUMBER.format(value)}`).join(", ")}`).join("; ");
}

function axes({ type, series, axis_config: { categories } }) {
  const scale = scaleOf(series, type);
  const x = (label) => across(categories, type, label);
  const draw = type === "bar" ? bars : (one, at, index) => lines(one, at, index, type === "area");
  return [...grid(scale), ...labels(categories, x), ...series.map((one, index) => draw(one, { x, y: scale.y, series, categories }, index)),
    ...ends(series, { x, y: scale.y })];
}

// A scale whose ticks are round numbers; bars and areas stand on zero.
function scaleOf(series, type) {
  const values = series.flatMap(({ data }) => data.map(({ value }) => value));
  const low = type === "line" ? Math.min(...values) : Math.min(0, ...values);
  const high = Math.max(...values, type === "line" ? low + 1e-9 : 0);
  const rough = (high - low || Math.abs(high) || 1) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((wide) => wide >= rough);
  const from = Math.floor(low / step) * step, to = Math.ceil(high / step + 1e-9) * step;
  const y = (value) => HEIGHT - BOTTOM - ((value - from) / (to - from)) * (HEIGHT - TOP - BOTTOM);
  const ticks = Array.from({ length: Math.round((to - from) / step) + 1 }, (_, index) => from + index * step);
  return { y, ticks };
}

function across(categories, type, label) {
  const index = Math.max(0, categories.indexOf(label)), room = WIDTH - LEFT - RIGHT;
  return type === "bar" ? LEFT + (room * (index + 0.5)) / categories.length : LEFT + (room * index) / Math.max(1, categories.length - 1);
}

const grid = ({ y, ticks }) => ticks.flatMap((tick) => [
  svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(tick), y2: y(tick), class: "hair" }),
  svg("text", { x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end", class: "tick" }, NUMBER.format(tick)),
]);

// The first, the last and as many between as there is room for.
function labels(categories, x) {
  const every = Math.ceil(categories.length / 5);
  return categories.filter((_, index) => index % every === 0).map((label) =>
    svg("text", { x: x(label), y: HEIGHT - 8, "text-anchor": "middle", class: "tick" }, label));
}

function lines({ data }, { x, y }, index, area) {
  const points = data.map(({ label, value }) => `${x(label)},${y(value)}`);
  const floor = [`${x(data.at(-1).label)},${HEIGHT - BOTTOM}`, `${x(data[0].label)},${HEIGHT - BOTTOM}`];
  const last = data.at(-1);
  return [area && svg("polygon", { points: [...points, ...floor].join(" "), class: `area series-${index}` }),
    svg("polyline", { points: points.join(" "), class: `line series-${index}` }),
    svg("circle", { cx: x(last.label), cy: y(last.value), r: 4, class: `dot series-${index}` })];
}

function bars({ data }, { x, y, series, categories }, index) {
  const wide = Math.min(28, (WIDTH - LEFT - RIGHT) / categories.length / series.length - 2);
  const shift = (index - (series.length - 1) / 2) * (wide + 2) - wide / 2;
  return data.map(({ label, value }) => svg("rect", {
    x: x(label) + shift, width: wide, y: Math.min(y(0), y(value)), height: Math.abs(y(value) - y(0)), class: `dot series-${index}`,
  }));
}

// The name and the last value beside each line, pushed apart where lines end close together.
function ends(series, { x, y }) {
  const placed = series.map(({ name, data }, index) => ({ name, index, last: data.at(-1), at: y(data.at(-1).value) }))
    .sort((one, other) => one.at - other.at);
  placed.forEach((one, index) => { if (index) one.at = Math.max(one.at, placed[index - 1].at + GAP); });
  const over = Math.max(0, (placed.at(-1)?.at ?? 0) - (HEIGHT - BOTTOM));
  return placed.map(({ name, index, last, at }) => svg("text", {
    x: x(last.label) + 9, y: at - over + 4, class: `end series-${index}`,
  }, `${name} ${NUMBER.format(last.value)}`));
}

function pie(segments) {
  const sum = segments.reduce((all, { value }) => all + value, 0), radius = 84, cx = 110, cy = HEIGHT / 2;
  let turned = 0;
  return segments.flatMap(({ label, value }, index) => {
    const from = turned, to = (turned += value / sum);
    const at = (share) => `${cx + radius * Math.sin(share * 2 * Math.PI)} ${cy - radius * Math.cos(share * 2 * Math.PI)}`;
    const whole = to - from > 0.999;
    const shape = whole ? svg("circle", { cx, cy, r: radius, class: `slice series-${index}` })
      : svg("path", { d: `M${cx} ${cy}L${at(from)}A${radius} ${radius} 0 ${to - from > 0.5 ? 1 : 0} 1 ${at(to)}Z`, class: `slice series-${index}` });
    const words = `${label} ${NUMBER.format(value)} (${Math.round(((to - from) * 100))} %)`;
    return [shape, svg("text", { x: 236, y: 48 + index * 24, class: `end series-${index}` }, words)];
  });
}
