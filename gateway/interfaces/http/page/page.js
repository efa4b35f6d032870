// The page: one event stream, and what it says, drawn.  The gateway sends how everything is, then what changes.

import { View } from "./past.js";
import { Spark, size, span, written } from "./spark.js";

const SILENCE = 20_000; // ms without an event, after which the gateway is asked whether it is there
const AGAIN = 2_000; // ms until the next try to connect
const MOST = 100; // quantities drawn of one device
const KEPT = 60_000; // ms between two looks at the history
const WORDS = { pm1: "PM1", pm4: "PM4", pm2_5: "PM2.5", pm10: "PM10", co2: "CO₂", hdop: "HDOP" };

const link = document.getElementById("link");
const host = location.hostname;
const devices = new Map();
let stream, again, shown, heard = 0, boot = { uptime: 0, at: 0, tcp: 0 };

const last = (name) => name.slice(name.lastIndexOf(".") + 1);
const owner = (name) => name.slice(0, name.lastIndexOf("."));
const copy = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);
const quoted = (text) => (/^[\w.:/%-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`); // for a shell

function titled({ name, label }) {
  const word = last(name);
  return label || (WORDS[word] ?? (word[0].toUpperCase() + word.slice(1)).replaceAll("_", " "));
}

function put(element, text) { // the DOM is left alone when nothing changed
  if (element.textContent !== text) element.textContent = text;
  if (element.className === "quality") element.hidden = !text;
}

const clock = (date) => date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const ago = (seconds) => `${span(seconds)} ago`;

// One quantity of a device

class Tile {
  constructor(quantity) {
    this.quantity = quantity;
    this.element = copy("tile");
    const find = (selector) => this.element.querySelector(selector);
    [this.output, this.time, this.quality, this.refused] = [".number", "time", ".quality", ".refused"].map(find);
    if (["float", "int", "flag"].includes(quantity.kind)) this.spark = new Spark(find("svg"), quantity);
    find("h3 a").textContent = titled(quantity);
    find("h3 a").href = `#${encodeURIComponent(quantity.name)}`;
    find("svg").addEventListener("click", () => find("h3 a").click());
    find("figure input").setAttribute("aria-label", `A moment of ${titled(quantity)}`);
    find(".unit").textContent = quantity.unit;
    find("summary").append(`${owner(quantity.name)}.`, document.createElement("wbr"), last(quantity.name));
    find("summary").title = "How a program gets it";
    find("details").addEventListener("toggle", () => this.explain(find(".commands")));
    this.element.toggleAttribute("data-wide", quantity.kind === "text");
    if (quantity.writable && quantity.kind === "flag") this.addSwitch(find(".value"));
    this.rules = find(".rules");
    this.ruled(quantity);
    this.clear();
  }

  show(reading) {
    if (this.quantity.rules && this.reading && this.reading.value !== reading.value) this.lookup();
    this.reading = reading;
    this.confirmed = true;
    this.at = boot.at + (reading.monotonic - boot.uptime) * 1000;
    put(this.output, written(this.quantity, reading.value));
    this.element.classList.remove("none");
    this.button?.setAttribute("aria-checked", reading.value);
    this.spark?.add(this.at, Number(reading.value));
    this.chart?.add(reading);
    this.age();
  }

  timed({ boot: of, since, time, monotonic }) { // the gateway learned what time it was then
    const { reading } = this;
    if (reading?.boot !== of || reading.monotonic < since) return;
    reading.time = new Date(Date.parse(time) + (reading.monotonic - monotonic) * 1000).toISOString();
    if (reading.quality === "unsynced") reading.quality = "good";
    this.age();
  }

  clear() { // its device has no value for it now: an old one must not pass for one
    this.reading = undefined;
    this.spark?.clear();
    this.output.textContent = "–";
    this.element.classList.add("none");
    this.element.classList.remove("old");
    this.button?.setAttribute("aria-checked", false);
    put(this.quality, "");
    put(this.time, "no value");
  }

  age() {
    if (!this.reading) return;
    const { quality, time, until, monotonic } = this.reading;
    const age = Math.max(0, (performance.now() - this.at) / 1000);
    const stale = quality === "stale" || (until !== undefined && age > until - monotonic);
    this.element.classList.toggle("old", stale);
    put(this.quality, stale ? "stale" : quality === "good" ? "" : quality);
    const when = time ? new Date(time).toLocaleString() : "at a time the gateway did not know";
    put(this.time, time && age < 60 && !stale ? clock(new Date(time)) : ago(age));
    [this.time.dateTime, this.time.title] = [time ?? "", when];
    if (this.quantity.kind === "flag") this.spark.draw(performance.now());
  }

  addSwitch(place) {
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.setAttribute("role", "switch");
    this.button.setAttribute("aria-label", this.quantity.name);
    this.button.append(this.output);
    this.button.addEventListener("click", () => this.set(this.reading?.value ? "off" : "on"));
    place.replaceChildren(this.button);
  }

  ruled({ rules, why }) { // what may be on for how long, and which rule put it where it is
    const { only_if: needs, max_on: most, renew } = rules ?? {};
    const parts = [
      why && `By its rule ${why}`,
      needs && `On only if ${needs.join(" and ")}`,
      most && `On for ${span(most)} at most`,
      renew && `To be set again within ${span(renew)}`,
    ].filter(Boolean);
    put(this.rules, parts.join(" · "));
    this.rules.hidden = !parts.length;
  }

  async lookup() { // it was switched, perhaps by a rule
    const { name } = this.quantity;
    try {
      const { quantities } = await (await fetch(`api/v1/devices/${encodeURIComponent(owner(name))}`)).json();
      this.ruled(quantities.find((each) => each.name === name) ?? {});
    } catch { /* the stream tells when nobody is there */ }
  }

  async set(word) { // the switch moves when the device says so
    this.button.setAttribute("aria-busy", true);
    this.refused.hidden = true;
    try {
      const body = JSON.stringify({ command: `set ${this.quantity.name} ${word}` });
      const headers = { "Content-Type": "application/json" };
      const answer = await (await fetch("api/v1/commands", { method: "POST", headers, body })).json();
      if (!answer.ok) throw new Error(answer.error);
    } catch (error) {
      this.refused.hidden = false;
      this.refused.textContent = `Not set: ${error.message}`;
    } finally {
      this.button.removeAttribute("aria-busy");
    }
  }

  explain(place) {
    const { name, kind, writable } = this.quantity;
    const lines = [`curl ${quoted(`${location.origin}/api/v1/readings/${encodeURIComponent(name)}`)}`];
    if (boot.tcp) lines.push(`printf ${quoted(`get ${name}\\n`)} | nc -N ${host} ${boot.tcp}`);
    if (writable) {
      const body = JSON.stringify({ command: `set ${name} ${kind === "flag" ? "on" : this.output.textContent}` });
      lines.push(`curl --json ${quoted(body)} ${location.origin}/api/v1/commands`);
    }
    place.replaceChildren(...lines.map((line) => Object.assign(document.createElement("code"), { textContent: line })));
  }
}

// One device, with its tiles

class Device {
  constructor(name) {
    this.name = name;
    this.tiles = new Map();
    this.early = new Map(); // readings that came before the list of quantities
    this.element = copy("device");
    const title = this.element.querySelector("h2");
    title.id = `device-${name}`;
    this.element.setAttribute("aria-labelledby", title.id);
    const behind = [...devices.values()].find((other) => other.name > name);
    document.getElementById("devices").insertBefore(this.element, behind?.element ?? null);
    devices.set(name, this);
  }

  show(facts) {
    const find = (selector) => this.element.querySelector(selector);
    const running = facts.state === "running";
    put(find("h2 a"), facts.label || facts.name);
    find("h2 a").href = `#${encodeURIComponent(facts.name)}`;
    put(find(".about"), [...new Set([facts.label && facts.name, facts.driver, facts.where])].filter(Boolean).join(" · "));
    put(find(".state"), facts.state);
    find(".state").classList.toggle("trouble", !running);
    put(find(".reason"), facts.reason);
    find(".reason").hidden = running || !facts.reason;
    if (!running) this.tiles.forEach((tile) => tile.clear());
    this.element.hidden = facts.driver === "manual" && !facts.items;
    const shape = `${facts.driver} ${facts.items}`;
    if (shape !== this.shape) this.load();
    this.shape = shape;
  }

  async load() {
    if (this.loading) return;
    this.loading = true;
    try {
      const { quantities, period } = await (await fetch(`api/v1/devices/${encodeURIComponent(this.name)}`)).json();
      this.period = period;
      const tiles = quantities.slice(0, MOST).map((quantity) => this.tile(quantity));
      this.element.style.setProperty("--n", Math.min(tiles.length, 6) || 1);
      const rest = quantities.length - tiles.length;
      this.tiles = new Map(tiles.map((tile) => [tile.quantity.name, tile]));
      this.element.querySelector("ul").replaceChildren(...tiles.map((tile) => tile.element));
      if (rest > 0) this.element.querySelector("ul").append(`and ${rest} more, which api/v1/readings lists`);
      this.early.forEach((reading, name) => this.tiles.get(name)?.show(reading));
      this.early.clear();
      route();
    } catch {
      this.shape = undefined; // the next word of it asks again
    } finally {
      this.loading = false;
    }
  }

  tile(quantity) { // the one there is, as long as it is drawn the same way
    const tile = this.tiles.get(quantity.name);
    const drawn = ["kind", "digits", "unit", "label"].every((key) => tile?.quantity[key] === quantity[key]);
    return drawn ? tile : new Tile(quantity);
  }

  take(reading) {
    const tile = this.tiles.get(reading.name);
    if (tile) tile.show(reading);
    else this.early.set(reading.name, reading);
  }

  remove() {
    this.element.remove();
    devices.delete(this.name);
    route();
  }
}

// What a person should know first: by the words of whoever started the gateway, and of the last reload

function noticed({ notice, config }) {
  const element = document.getElementById("notice");
  put(element, [notice, config && `The configuration was not taken over:\n${config}`].filter(Boolean).join("\n"));
  element.hidden = !element.textContent;
}

// The stream

function connect() {
  stream?.close();
  stream = new EventSource("api/v1/events");
  stream.onerror = lost;
  stream.onmessage = ({ data }) => {
    heard = performance.now();
    const reading = JSON.parse(data);
    devices.get(owner(reading.name))?.take(reading);
  };
  stream.addEventListener("status", ({ data }) => {
    heard = performance.now();
    boot = { ...JSON.parse(data), at: heard };
    kept(boot);
    noticed(boot);
    shown?.load();
    document.body.classList.remove("lost");
    link.className = "live";
    count();
    switches();
    const before = new Set(devices.values());
    before.forEach((device) => device.tiles.forEach((tile) => { tile.confirmed = false; }));
    setTimeout(() => forget(before), 1500); // what was not told again is no more
  });
  stream.addEventListener("clock", ({ data }) => {
    heard = performance.now();
    const told = JSON.parse(data);
    boot = { ...boot, synced: true, time: told.time, uptime: told.monotonic, at: heard };
    devices.forEach((device) => device.tiles.forEach((tile) => tile.timed(told)));
    shown?.load();
  });
  stream.addEventListener("notice", ({ data }) => {
    heard = performance.now();
    noticed(JSON.parse(data));
  });
  stream.addEventListener("device", ({ data }) => {
    heard = performance.now();
    const facts = JSON.parse(data);
    const device = devices.get(facts.name);
    if (facts.state === "removed") device?.remove();
    else Object.assign(device ?? new Device(facts.name), { told: boot.at, state: facts.state }).show(facts);
    if (device && device === shown?.device) shown.changed();
    count();
  });
}

function count() {
  const present = [...devices.values()].filter((device) => !device.element.hidden);
  const running = present.filter((device) => device.state === "running").length;
  document.getElementById("empty").hidden = present.length > 0;
  put(link, running === present.length ? "Live" : `Live · ${running} of ${present.length} devices running`);
}

function forget(before) {
  for (const device of before) {
    if (device.told !== boot.at) device.remove();
    else device.tiles.forEach((tile) => tile.confirmed || tile.clear());
  }
}

function lost() {
  stream.close();
  clearTimeout(again);
  again = setTimeout(connect, AGAIN); // a new stream, without the id of the last event: it begins with everything
  if (link.className === "lost") return;
  link.className = "lost";
  link.textContent = heard
    ? `Connection lost at ${clock(new Date())}. These values are old; trying again …`
    : "No connection to the gateway; trying again …";
  document.body.classList.toggle("lost", true);
  switches();
}

function switches() {
  const off = link.className === "lost";
  document.querySelectorAll("[role=switch]").forEach((button) => { button.disabled = off; });
}

async function look() { // a board without power does not say goodbye
  if (link.className !== "live" || performance.now() - heard < SILENCE) return;
  heard = performance.now();
  fetch("healthz", { cache: "no-store", signal: AbortSignal.timeout(5000) }).catch(lost);
}

// One device alone: #NAME, or #DEVICE.QUANTITY

function route() {
  let name = location.hash.slice(1);
  try { name = decodeURIComponent(name); } catch { /* typed by hand */ }
  const device = devices.get(name) ?? devices.get(owner(name));
  if (shown?.device === device) return shown?.attach();
  shown?.close();
  shown = device && new View(device, () => boot);
  document.body.classList.toggle("one", Boolean(device));
  document.getElementById("back").hidden = !device;
  document.title = [device?.element.querySelector("h2").textContent, host, "Device Gateway"].filter(Boolean).join(" · ");
  const place = devices.has(name) ? undefined : device?.tiles.get(name)?.element;
  if (place) place.scrollIntoView();
  else window.scrollTo(0, 0);
}

// The history

function kept(facts) {
  const line = document.getElementById("kept");
  line.hidden = facts.history === undefined;
  if (line.hidden) return;
  const { history, history_size, history_written, history_budget, history_thinned, history_lost } = facts;
  const rest = [[history_thinned, "thinned"], [history_lost, "lost"]].filter(([count]) => count).map((each) => each.join(" readings "));
  const disk = history.startsWith("on ") ? [`${size(history_written)} of ${size(history_budget)} written today`] : [];
  put(line, [`History ${history}`, size(history_size), ...disk, ...rest].join(" · "));
  line.classList.toggle("trouble", history.includes(": ") || rest.length > 0);
}

async function lookKept() {
  if (link.className !== "live" || document.hidden) return;
  try {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch("api/v1/commands", { method: "POST", headers, body: '{"command": "status"}' });
    kept(Object.assign({}, ...(await answer.json()).rows));
  } catch { /* the stream tells when the gateway is gone */ }
}

document.getElementById("host").textContent = host;
document.title = `${host} · Device Gateway`;
setInterval(() => {
  devices.forEach((device) => device.tiles.forEach((tile) => tile.age()));
  shown?.tick();
  look();
}, 1000);
setInterval(lookKept, KEPT);
window.addEventListener("hashchange", route);
connect();
