// A sparkline: the values seen since the page was opened, as inline SVG.

const POINTS = 240;

export function written({ kind, digits }, value) {
  if (kind === "flag") return value ? "on" : "off";
  return kind === "float" ? value.toFixed(digits) : String(value);
}

export function span(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}

export function size(bytes) {
  const power = Math.min(3, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  const number = bytes / 1000 ** power;
  return `${power && number < 10 ? number.toFixed(1) : Math.round(number)} ${["B", "kB", "MB", "GB"][power]}`;
}

export class Spark {
  constructor(svg, quantity) {
    Object.assign(this, { svg, quantity, points: [] });
  }

  add(at, value) { // *at* in ms of the page
    if (this.points.at(-1)?.at === at) return;
    this.points.push({ at, value });
    if (this.points.length > POINTS) this.points.shift();
    this.draw(at);
  }

  clear() {
    this.points = [];
    this.svg.toggleAttribute("hidden", true);
  }

  draw(to) {
    if (this.points.length < 2) return;
    const flag = this.quantity.kind === "flag";
    const from = this.points[0].at;
    const values = this.points.map(({ value }) => value);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const height = Math.max(high - low, flag ? 1 : 5 * 10 ** -this.quantity.digits); // noise is not a mountain
    const base = flag ? 0 : (low + high - height) / 2;
    const spots = [...this.points, { at: to, value: values.at(-1) }].map(({ at, value }) =>
      [100 * (at - from) / (to - from), 28 - 26 * (value - base) / height].map((n) => n.toFixed(2)));
    const line = spots.map(([x, y], n) => (n === 0 ? `M${x} ${y}` : flag ? `H${x}V${y}` : `L${x} ${y}`)).join("");
    [`${line}V30H0Z`, line, `M${spots.at(-1).join(" ")}h0`].forEach((d, n) => this.svg.children[n].setAttribute("d", d));
    const range = [low, high].map((value) => written(this.quantity, value)).join(" to ");
    this.svg.setAttribute("aria-label", `${range} ${this.quantity.unit} in ${span((to - from) / 1000)}`);
    this.svg.toggleAttribute("hidden", false);
  }
}
