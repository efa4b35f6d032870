// A device's own page: the charts of its quantities, and what happened to it.

import { Changes, Chart, SPANS, ask, instant, moment } from "./chart.js";

const LISTED = 30; // happenings
const REST = 1000; // ms that changes of a life may take before they are asked for

let uPlot;

export class View {
  constructor(device, clock) {
    Object.assign(this, { device, clock, span: "Hour", cuts: [], outages: [], failures: [], charts: new Map() });
    this.element = device.element;
    this.find = (selector) => this.element.querySelector(selector);
    this.element.classList.add("open");
    this.find(".happened").hidden = this.find(".spans").hidden = false;
    this.find(".spans div").replaceChildren(...Object.keys(SPANS).map((name) => this.choice(name)));
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.repaint = () => this.charts.forEach((chart) => chart.plot?.redraw());
    this.dark.addEventListener("change", this.repaint);
    this.begin();
  }

  choice(name) {
    const [label, input] = [document.createElement("label"), document.createElement("input")];
    Object.assign(input, { type: "radio", name: `span ${this.device.name}`, value: name, checked: name === this.span });
    input.addEventListener("change", () => { this.span = name; this.load(); });
    label.append(input, name);
    return label;
  }

  async begin() {
    uPlot ??= (await import("./uPlot.js")).default;
    this.uPlot = uPlot;
    if (!this.closed) this.load();
  }

  get period() {
    return this.device.period;
  }

  now() { // what time it is for the gateway
    const { synced, time, uptime, at } = this.clock();
    return (synced ? instant(time) : uptime) + (performance.now() - at) / 1000;
  }

  // The clock was set, the stream began anew, or another span was chosen

  async load() {
    await this.happened();
    const before = [...this.charts.values()];
    this.attach();
    before.forEach((chart) => chart.load());
  }

  attach() { // the tiles that there are now
    if (!this.uPlot || this.closed) return;
    const tiles = new Set(this.device.tiles.values());
    this.charts.forEach((chart, tile) => tiles.has(tile) || (chart.close(), this.charts.delete(tile)));
    for (const tile of tiles) {
      if (this.charts.has(tile)) continue;
      const line = ["float", "int", "flag"].includes(tile.quantity.kind);
      tile.chart = new (line ? Chart : Changes)(tile, this);
      this.charts.set(tile, tile.chart);
      tile.chart.load();
    }
  }

  changed() { // its life did
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.happened().then(() => this.charts.forEach((chart) => { chart.dirty = true; })), REST);
  }

  async happened() {
    const { synced } = this.clock();
    const what = `happenings?device=${encodeURIComponent(this.device.name)}&device=gateway&from=-${SPANS[this.span][0]}s`;
    let told = [];
    try {
      told = (await ask(what)).filter(({ time }) => Boolean(time) === synced);
    } catch { /* the charts say what is wrong */ }
    const events = told.map((event) => ({ ...event, at: synced ? instant(event.time) : event.monotonic }));
    this.cuts = events.filter(({ what }) => ["lost", "absent", "refused", "started", "stopped"].includes(what)).map(({ at }) => at);
    this.failures = events.filter(({ what }) => /^[A-Z]/.test(what)).map(({ at }) => at);
    this.outages = [];
    let down;
    for (const { device, what, at } of events) {
      if (["lost", "absent", "refused", "stopped"].includes(what)) down ??= at;
      if (what === "running" && device !== "gateway" && down !== undefined) {
        this.outages.push([down, at]);
        down = undefined;
      }
    }
    if (down !== undefined) this.outages.push([down, Infinity]);
    this.list(events.filter(({ what }) => what !== "opening"));
  }

  list(events) {
    const rows = events.slice(-LISTED).reverse().map(({ at, device, what, text, count }) => {
      const row = document.createElement("li");
      const time = document.createElement("time");
      time.textContent = moment(at, this.clock());
      const times = count > 1 ? ` (${count} times)` : "";
      row.append(time, ` ${device === "gateway" ? "gateway " : ""}${what}${times}${text ? `: ${text}` : ""}`);
      row.classList.toggle("trouble", /^([A-Z]|lost|refused)/.test(what));
      return row;
    });
    this.find(".happened ol").replaceChildren(...rows);
    this.find(".happened p").hidden = rows.length > 0;
  }

  tick() {
    this.charts.forEach((chart) => chart.tick());
  }

  close() {
    this.closed = true;
    clearTimeout(this.soon);
    this.dark.removeEventListener("change", this.repaint);
    this.charts.forEach((chart, tile) => { chart.close(); tile.chart = undefined; });
    this.element.classList.remove("open");
    this.find(".happened").hidden = this.find(".spans").hidden = true;
  }
}
