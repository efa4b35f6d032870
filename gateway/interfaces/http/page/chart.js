// One quantity over time: what was, what comes, and where there was nothing.  Times are in seconds: of Unix, or since
// the start of a gateway that does not know the time.

import { span, written } from "./spark.js";

const HEIGHT = 190, LOW = 100, ROOM = 54; // pixels of a chart, of one of a flag, and at the left of both, at least
const RAW = 2000; // readings that are drawn one by one; of more, the extremes of each step
const LIVE = 1000; // new readings after which what was is asked for anew
const LISTED = 10; // changes of a text
const DECIMALS = 9; // that any quantity has, at most
const WHOLE = Array.from({ length: 12 }, (_, power) => [1, 2, 5].map((each) => each * 10 ** power)).flat();

export const SPANS = { // seconds, and seconds of a step
  Hour: [3600, 10],
  Day: [86_400, 300],
  Week: [604_800, 1800],
  Month: [2_592_000, 7200],
  Year: [31_536_000, 86_400],
};

export async function ask(address) {
  const answer = await fetch(`api/v1/${address}`);
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}

export const instant = (text) => (text[0] === "+" ? Number(text) : Date.parse(text) / 1000);

export function moment(at, { synced }, step = 0) { // as a person reads it
  if (!synced) return `${span(at)} after the start`;
  const date = new Date(at * 1000);
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", ...(step < 60 && { second: "2-digit" }) });
  if (date.toDateString() === new Date().toDateString()) return time;
  const year = date.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
  return `${date.toLocaleDateString([], { day: "numeric", month: "short", ...year })} ${time}`;
}

// What was, in order of time: lowest and highest of each step, or (step 0) each reading as it came.  Of the extremes of
// a step, the second stands in its middle.

async function points({ name, kind }, [seconds, step], { synced }) {
  const words = kind === "text" || kind === "choice";
  const what = `history?name=${encodeURIComponent(name)}&from=-${seconds}s`;
  const whole = words || kind === "flag" || seconds <= 3600;
  let told = whole && await ask(`${what}&limit=${RAW}&order=newest`);
  const gathered = !told || told.next;
  if (gathered) told = await ask(`${what}&step=${step}s&aggregate=${words ? "last" : "extremes"}&limit=${RAW}`);
  const found = [];
  for (const [when, value] of told.series[0]?.points ?? []) {
    if ((when[0] === "+") === synced) continue; // of a time that nobody knows
    const [at, shown, last] = [instant(when), words ? value : Number(value), found.at(-1)];
    if (gathered && last && at - last[0] === step / 2) last[2] = shown;
    else found.push([at, shown, shown]);
  }
  return gathered ? [found, step] : [found.reverse(), 0];
}

// What is common to charts and lists

class Past {
  constructor(tile, view) {
    Object.assign(this, { tile, view, quantity: tile.quantity, points: [], step: 0, live: 0 });
    this.figure = tile.element.querySelector("figure");
    this.find = (selector) => this.figure.querySelector(selector);
    this.figure.hidden = false;
  }

  async load() {
    this.live = 0;
    try {
      const [found, step] = await points(this.quantity, SPANS[this.view.span], this.view.clock());
      const last = found.at(-1)?.[0] ?? -Infinity;
      const since = this.points.slice(this.points.length - this.live).filter(([at]) => at > last); // came meanwhile
      Object.assign(this, { points: [...found, ...since], step });
      this.draw();
    } catch (error) {
      this.say(`What was cannot be shown: ${error.message}`);
    }
  }

  add({ time, monotonic, value }) {
    const { synced } = this.view.clock();
    if (synced && !time) return;
    const at = synced ? instant(time) : monotonic;
    if (at <= (this.points.at(-1)?.[0] ?? -Infinity)) return;
    const shown = typeof value === "boolean" ? Number(value) : value;
    this.points.push([at, shown, shown]);
    this.dirty = true;
    this.live += 1;
    if (this.live > LIVE) this.load();
  }

  tick() {
    const start = this.view.now() - SPANS[this.view.span][0];
    while (this.points.length && this.points[0][0] < start - 2 * this.step) this.points.shift();
    if (this.dirty || this.holds()) this.draw();
  }

  keeps() { // seconds for which a reading holds
    const { reading } = this.tile;
    if (reading) return reading.until === undefined ? Infinity : reading.until - reading.monotonic;
    return this.view.period ? 3 * this.view.period + 2 : Infinity;
  }

  holds() { // until something else is said
    return this.quantity.kind === "flag" || this.keeps() === Infinity;
  }

  say(text) {
    const place = this.find(".summary");
    if (place.textContent !== text) place.textContent = text;
  }

  moment(at) {
    return moment(at, this.view.clock(), this.step);
  }

  unit(...values) {
    const shown = [...new Set(values.map((value) => written(this.quantity, value)))].join(" to ");
    return [shown, this.quantity.unit].filter(Boolean).join(" ");
  }

  close() {
    this.figure.hidden = true;
  }
}

// A text or a word: the list of its changes

export class Changes extends Past {
  draw() {
    this.dirty = false;
    const changes = this.points.filter(([, value], n) => n === 0 || value !== this.points[n - 1][1]).reverse();
    const rough = this.step ? `, to within ${span(this.step)}` : "";
    const count = changes.length - 1;
    this.say(count > 0 ? `${count} ${count === 1 ? "change" : "changes"}${rough}` : count ? "Nothing was kept in this time" : "No change");
    this.find(".plot").hidden = this.find(".scrub").hidden = true;
    this.find(".changes").replaceChildren(...changes.slice(0, LISTED).map(([at, value]) => {
      const row = document.createElement("li");
      const time = document.createElement("time");
      time.textContent = this.moment(at);
      row.append(time, ` ${value}`);
      return row;
    }));
  }

  holds() {
    return false;
  }
}

// A number or a flag: a line

export class Chart extends Past {
  draw() {
    this.dirty = false;
    const data = this.columns();
    this.find(".plot").hidden = this.find(".scrub").hidden = data[0].length < 2;
    this.describe(data);
    if (data[0].length < 2) return;
    const input = this.find("input");
    input.max = data[0].length - 1;
    if (!this.find("output").textContent) input.value = input.max;
    if (this.plot) this.plot.setData(data);
    else this.make(data);
  }

  columns() { // times, lowest and highest; null where the line is broken
    const [gap, cuts, xs, lows, highs] = [Math.max(2 * this.step, this.keeps()) + 1, this.view.cuts, [], [], []];
    const put = (x, low, high) => { xs.push(x); lows.push(low); highs.push(high); };
    const now = this.live || this.tile.reading ? [[this.view.now()]] : [];
    let cut = 0, before;
    for (const [x, low, high] of [...this.points, ...now]) {
      while (cut < cuts.length && (!before || cuts[cut] <= before[0])) cut += 1;
      const broken = before && (cuts[cut] < x ? cuts[cut] : x - before[0] > gap && (before[0] + x) / 2);
      if (broken && this.holds()) put(broken, before[1], before[2]);
      if (broken) put(broken, null, null);
      if (low !== undefined) put(x, low, high);
      else if (before && !broken && this.holds()) put(Math.max(x, before[0]), before[1], before[2]); // until now
      before = [x, low, high];
    }
    return [xs, lows, highs];
  }

  window() {
    const end = Math.max(this.view.now(), this.points.at(-1)?.[0] ?? 0);
    const start = end - SPANS[this.view.span][0];
    const least = this.view.clock().synced ? end - 60 : Math.max(0, end - 60); // nothing was before the start
    return [Math.max(start, Math.min(this.points[0]?.[0] ?? start, least)), end];
  }

  make(data) {
    const color = (name) => () => getComputedStyle(this.figure).getPropertyValue(name);
    const { uPlot } = this.view;
    const lines = { stroke: color("--soft"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false },
      font: "12px system-ui, sans-serif" };
    const flag = this.quantity.kind === "flag";
    const line = { stroke: color("--accent"), width: 1.6, pxAlign: 0, points: { size: 5, fill: color("--accent") },
      ...(this.holds() && { paths: uPlot.paths.stepped({ align: 1 }) }) };
    const height = flag ? LOW : HEIGHT;
    this.color = color;
    this.plot = new uPlot({
      width: this.find(".plot").clientWidth, height, legend: { show: false }, padding: [8, 28, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: "device" } },
      scales: { x: { time: this.view.clock().synced, range: () => this.window() }, y: { range: (_, ...ends) => this.height(...ends) } },
      axes: [
        { ...lines, space: 90, size: 28, values: (_, at, __, ___, step) => at.map((each) => this.label(each, step)) },
        { ...lines, size: (...those) => this.room(...those), space: 34, ...(flag && { splits: () => [0, 1] }), ...(this.quantity.kind === "int" && { incrs: WHOLE }),
          values: (_, at) => at.map((each) => (flag ? written(this.quantity, each) : String(Number(each.toFixed(DECIMALS))))) },
      ],
      series: [{}, line, line],
      bands: [{ series: [2, 1], fill: color("--tint") }],
      hooks: { drawClear: [(plot) => this.shade(plot)], setCursor: [({ cursor }) => this.read(cursor.idx)] },
    }, data, this.find(".plot"));
    this.sized = new ResizeObserver(([{ contentRect: { width } }]) => width && this.plot.setSize({ width, height }));
    this.sized.observe(this.find(".plot"));
    this.read();
    this.find("input").oninput = ({ target }) => {
      const at = this.plot.data[0][target.value];
      this.plot.setCursor({ left: this.plot.valToPos(at, "x"), top: 0 });
    };
  }

  room(plot, labels, axis, cycle) { // for the numbers at the side: one that is cut off is another number
    if (cycle > 1) return plot.axes[axis]._size; // or it would never end
    [plot.ctx.font] = plot.axes[axis].font;
    const widest = Math.max(0, ...(labels ?? []).map((label) => plot.ctx.measureText(label).width));
    const room = Math.max(ROOM, Math.ceil(widest / devicePixelRatio) + 12);
    this.figure.style.setProperty("--room", `${room}px`);
    return room;
  }

  height(low, high) { // noise is not a mountain
    if (this.quantity.kind === "flag") return [0, 1.1];
    if (low === null || low === undefined) return [0, 1];
    const room = Math.max(high - low, 5 * 10 ** -this.quantity.digits);
    const middle = (low + high) / 2;
    return [middle - 0.6 * room, middle + 0.6 * room];
  }

  label(at, step) {
    if (!this.view.clock().synced) return `+${span(at)}`;
    const date = new Date(at * 1000);
    const day = { day: "numeric", month: "short" };
    if (step >= 2_000_000) return date.toLocaleDateString([], { month: "short", year: "numeric" });
    if (step >= 86_400 || (step >= 3600 && date.getHours() === 0)) return date.toLocaleDateString([], day);
    const seconds = step < 60 ? { second: "2-digit" } : {};
    return date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", ...seconds });
  }

  shade({ ctx, bbox, valToPos }) { // when the device did not run, and what went wrong
    const edge = bbox.left + bbox.width;
    const place = (at) => Math.min(Math.max(valToPos(at, "x", true), bbox.left), edge);
    for (const [start, end] of this.view.outages) {
      const [left, right] = [place(start), place(Math.min(end, this.view.now()))];
      if (left === edge || right === bbox.left) continue;
      ctx.fillStyle = this.color("--bad-paper")();
      ctx.fillRect(left, bbox.top, Math.max(right - left, 2), bbox.height);
      ctx.fillStyle = this.color("--bad")();
      ctx.fillRect(left, bbox.top, devicePixelRatio, bbox.height);
    }
    ctx.fillStyle = this.color("--bad")();
    for (const at of this.view.failures) {
      const left = place(at);
      if (left > bbox.left && left < edge) ctx.fillRect(left, bbox.top + bbox.height - 9, 2 * devicePixelRatio, 9);
    }
  }

  read(at) { // where the cursor is
    const [input, [xs, lows, highs]] = [this.find("input"), this.plot.data];
    const there = at !== null && at !== undefined && xs[at] !== undefined;
    const value = there && (lows[at] === null ? "no value" : this.unit(lows[at], highs[at]));
    this.find("output").textContent = there ? `${this.moment(xs[at])}: ${value}` : "";
    input.value = there ? at : input.max;
    input.setAttribute("aria-valuetext", this.find("output").textContent || "now");
  }

  describe([xs, lows, highs]) {
    const known = xs.map((x, n) => [x, lows[n], highs[n]]).filter(([, low]) => low !== null);
    if (known.length === 0) return this.say("Nothing was kept in this time");
    const gaps = lows.filter((low, n) => low === null && n < lows.length - 1).length;
    const broken = gaps ? `; ${gaps} ${gaps > 1 ? "gaps" : "gap"}` : "";
    const last = this.unit(this.tile.reading ? Number(this.tile.reading.value) : known.at(-1)[2]);
    if (this.quantity.kind === "flag") {
      const changes = known.filter(([, on], n) => n > 0 && on !== known[n - 1][1]).length;
      const on = xs.reduce((sum, x, n) => sum + (n > 0 && lows[n - 1] === 1 ? x - xs[n - 1] : 0), 0);
      return this.say(`On for ${span(on)}, ${changes} ${changes === 1 ? "change" : "changes"}, last ${last}${broken}`);
    }
    const low = known.reduce((one, two) => (two[1] < one[1] ? two : one));
    const high = known.reduce((one, two) => (two[2] > one[2] ? two : one));
    this.say(`Lowest ${this.unit(low[1])} at ${this.moment(low[0])}, highest ${this.unit(high[2])} at ${
      this.moment(high[0])}, last ${last}${broken}`);
  }

  close() {
    super.close();
    this.sized?.disconnect();
    this.plot?.destroy();
  }
}
