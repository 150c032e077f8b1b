/* The drawing of live figures, as SVG: axes with what is in them, and a heat map. Text and axes take
   their ink from the page.

       AM.chart({
         alt: "The loss falls.", width: figure.width, height: 260,
         x: { from: 0, to: 10, name: "step" },
         y: { from: 0.01, to: 10, name: "loss", log: true },
         marks: [
           { line: [[0, 9], [1, 4]], color: "blue", name: "rate 0.1" },     // also: dashes, width
           { points: [[0, 9]], color: "orange", name: "measured" },         // also: size
           { bars: [0.2, 0.8], color: "green" },                            // at 0, 1, …; also: labels
           { band: [[0, 8, 10], [1, 3, 5]], color: "orange" },              // x, low, high
           { text: "here", at: [3, 1] },
         ],
       });

   An axis may have `names`, one for each whole number from 0, or `ticks`, and `write` for them. */
"use strict";
AM.colors = {
  blue: "#2467e6", orange: "#e0700f", green: "#0fa36b", pink: "#c050b6", gray: "#6d737b",
  fixed: "#2467e6", attention: "#e0700f", transformer: "#0fa36b", rnn: "#e0700f", gru: "#2467e6",
  lstm: "#0fa36b", source: "#2467e6", target: "#e0700f", ink: "currentColor",
};

AM.svg = function (name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};

/* How many letters wide a text is, about: a Korean one takes the room of two. */
AM.wide = (text) => [...text].reduce((sum, letter) => sum + (letter >= "\u1100" && letter.length === 1 ? 2 : 1), 0);

/* Round numbers between two ends, about `count` of them; powers of ten on a logarithmic axis. */
AM.ticks = function (from, to, log = false, count = 5) {
  if (log) {
    const [low, high] = [Math.ceil(Math.log10(from) - 1e-9), Math.floor(Math.log10(to) + 1e-9)];
    const step = Math.max(1, Math.ceil((high - low) / count));
    return Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, i) => 10 ** (low + i * step));
  }
  const power = 10 ** Math.floor(Math.log10((to - from) / count));
  const step = [1, 2, 5, 10].find((one) => (one * power * count) / (to - from) > 0.999) * power;
  const first = Math.ceil(from / step - 1e-9);
  const many = Math.floor(to / step + 1e-9) - first + 1;
  return Array.from({ length: many }, (_, i) => Number(((first + i) * step).toPrecision(12)));
};

/* The numbers along an axis, and how one is written. */
AM.labeled = function ({ from, to, log, names, ticks, write }) {
  if (names) return names.map((name, number) => [number, name]);
  const places = ticks || AM.ticks(from, to, log);
  const decimals = (value) => (String(Number(value.toPrecision(10))).split(".")[1] || "").length;
  const digits = Math.max(...places.map(decimals));
  const powers = log && (from < 1e-3 || to > 1e5);
  const usual = (value) => (powers ? AM.power(value).replace("1.0 × ", "")
    : AM.number(value, log ? decimals(value) : digits));
  return places.map((value) => [value, (write || usual)(value)]);
};

AM.chart = function ({ alt, width = 520, height = 270, x, y, marks }) {
  const { svg, colors } = AM;
  x = x.names ? { from: -0.6, to: x.names.length - 0.4, ...x } : x;
  const texts = AM.labeled(y);
  const left = 14 + 7.2 * Math.max(...texts.map(([, text]) => AM.wide(text))) + (y.name ? 20 : 0);
  const ends = x.names ? [] : AM.labeled(x).filter(([place]) => place === x.to);
  const right = Math.max(12, ...ends.map(([, text]) => 4 + 3.6 * AM.wide(text)));  // room for the last number
  const [top, bottom] = [10, x.name ? 46 : 26];
  const along = (axis, value) => (axis.log
    ? Math.log(Math.max(value, 1e-300) / axis.from) / Math.log(axis.to / axis.from)
    : (value - axis.from) / (axis.to - axis.from));
  const far = (share) => Math.max(-20, Math.min(20, share));  // what leaves the picture stays finite
  const px = (value) => left + far(along(x, value)) * (width - left - right);
  const py = (value) => height - bottom - far(along(y, value)) * (height - top - bottom);
  const at = ([a, b]) => `${px(a).toFixed(1)},${py(b).toFixed(1)}`;
  const [low, high] = [py(y.from), py(y.to)];

  const axes = svg("g", { class: "am-axes" });
  for (const [value, text] of texts) {
    axes.append(svg("path", { class: "grid", d: `M${left},${py(value)}H${width - right}` }),
      svg("text", { x: left - 7, y: py(value) + 4, "text-anchor": "end" }, text));
  }
  for (const [value, text] of AM.labeled(x)) {
    if (!x.names) axes.append(svg("path", { class: "grid", d: `M${px(value)},${low}V${high}` }));
    axes.append(svg("text", { x: px(value), y: low + 18, "text-anchor": "middle" }, text));
  }
  const middle = (low + high) / 2;
  axes.append(svg("path", { class: "axis", d: `M${left},${high}V${low}H${width - right}` }),
    svg("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, x.name || ""),
    svg("text", { x: 13, y: middle, "text-anchor": "middle", transform: `rotate(-90 13 ${middle})` }, y.name || ""));

  const clip = `am-clip-${AM.clips = (AM.clips || 0) + 1}`;
  const edge = { x: left - 6, y: high - 6, width: width - left - right + 12, height: low - high + 12 };
  const inside = svg("g", { "clip-path": `url(#${clip})` });
  const legend = AM.element("div", { class: "am-legend", "aria-hidden": "true" });
  for (const mark of marks) {
    const color = colors[mark.color] || mark.color || "currentColor";
    const stroke = { fill: "none", stroke: color, "stroke-width": mark.width || 2.2, "stroke-linejoin": "round" };
    if (mark.line) {
      inside.append(svg("polyline", { points: mark.line.map(at).join(" "), ...stroke, "stroke-dasharray": mark.dashes || "none" }));
    } else if (mark.points) {
      mark.points.forEach((point) => inside.append(
        svg("circle", { cx: px(point[0]), cy: py(point[1]), r: mark.size || 4, fill: color })));
    } else if (mark.band) {
      const round = [...mark.band.map(([a, b]) => [a, b]), ...mark.band.map(([a, , b]) => [a, b]).reverse()];
      inside.append(svg("polygon", { points: round.map(at).join(" "), fill: color, opacity: 0.2 }));
    } else if (mark.bars) {
      const wide = 0.7 * (px(1) - px(0)), zero = py(Math.max(y.from, Math.min(0, y.to)));
      mark.bars.forEach(function (value, number) {
        const end = py(value), start = Math.min(zero, end);
        inside.append(svg("rect", { x: px(number) - wide / 2, y: start, width: wide, height: Math.abs(zero - end),
          fill: (mark.colors && colors[mark.colors[number]]) || color }));
        if (mark.labels) inside.append(svg("text", { x: px(number), y: start - 5, "text-anchor": "middle" }, mark.labels[number]));
      });
    } else if (mark.text) {
      inside.append(svg("text", { x: px(mark.at[0]), y: py(mark.at[1]), "text-anchor": mark.anchor || "middle", style: `fill:${color}` }, mark.text));
    }
    if (mark.name) {
      const swatch = svg("svg", { width: 26, height: 10 }, mark.line
        ? svg("path", { d: "M0,5H26", ...stroke, "stroke-dasharray": mark.dashes || "none" })
        : svg("circle", { cx: 13, cy: 5, r: 4, fill: color }));
      legend.append(AM.element("span", {}, swatch, ` ${mark.name}`));
    }
  }
  const picture = svg("svg", { class: "am-chart", role: "img", "aria-label": alt, width, height, viewBox: `0 0 ${width} ${height}` },
    svg("clipPath", { id: clip }, svg("rect", edge)), axes, inside);
  return AM.element("div", { style: `width:${width}px` }, legend, picture);
};

/* A matrix: the more, the fuller the color (`negative`: another color below 0), each number written.
   `said` is what the corner says about rows and columns. */
AM.heat = function ({ alt, rows, columns, values, color = "orange", negative = "blue", most, write, said = "" }) {
  const { element, colors } = AM;
  const top = most || Math.max(1e-9, ...values.flat().map((one) => Math.abs(one || 0)));
  const head = element("tr", {}, element("td", { class: "said" }, said), ...columns.map((name) => element("th", { scope: "col" }, name)));
  const body = values.map((line, number) => element("tr", {}, element("th", { scope: "row" }, rows[number]),
    ...line.map(function (value) {
      const share = Number.isFinite(value) ? Math.round(55 * Math.min(1, Math.abs(value) / top)) : 0;
      const ink = colors[value < 0 ? negative : color];
      return element("td", { style: `background:color-mix(in srgb, ${ink} ${share}%, transparent)` }, (write || String)(value));
    })));
  return element("div", { class: "am-scroll" }, element("table", { class: "am-heat", "aria-label": alt }, element("thead", {}, head), element("tbody", {}, ...body)));
};
