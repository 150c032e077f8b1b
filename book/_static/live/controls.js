/* What a live figure is set with, and how it answers: labeled controls, a line that says the result
   (and is read out by a screen reader), and a table of the numbers.

       const figure = AM.figure(stage, SAY.invite);         // all texts: say.js
       const rate = figure.slider({ label: SAY.rate, of: [0.1, 0.2, 0.4], value: 0.1 });
       figure.update = function () {
         figure.draw(AM.chart({ … }));                 // see chart.js
         figure.say(Say.fill(SAY.result, { loss: AM.number(end(rate.value), 2) }));
         figure.table(SAY.header, rows);
       };
       figure.update();

   Each control has a `value`, and calls `figure.update` when the reader changes it. */
"use strict";

/* A number as a page writes it: digits after the point, a minus sign, thousands apart. */
AM.number = function (value, digits = 0) {
  if (Number.isNaN(value)) return "–";
  const form = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  const sign = value < 0 && Number(value.toFixed(digits)) !== 0 ? "−" : "";
  return sign + Math.abs(value).toLocaleString("en", form);
};

/* Two digits and a power of ten, for what is tiny or huge. */
AM.power = function (value) {
  if (value === 0 || !Number.isFinite(value)) return AM.number(value);
  const [digits, power] = value.toExponential(1).split("e");
  const raised = [...String(+power)].map((one) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(one)]);
  return `${digits.replace("-", "−")} × 10${raised.join("")}`;
};

/* An element with attributes and children; what is undefined or false is left out. */
AM.element = function (name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
};

AM.figure = function (stage, invite) {
  const { element } = AM;
  const SAY = Say.texts({ numbers: "Numbers of this figure" });
  const drawing = element("div", { class: "am-drawing" });
  const result = element("p", { class: "am-result", "aria-live": "polite" });
  const numbers = element("table");
  const unfold = element("details", {}, element("summary", {}, SAY.numbers),
    element("div", { class: "am-table" }, numbers));
  const panel = element("div");
  let row = null;
  stage.replaceChildren(element("p", { class: "am-invite" }, invite), panel, drawing, result, unfold);

  function add(control) {
    if (!row) figure.row();
    row.append(control);
    return control;
  }
  function changed() { figure.update(); }
  /* An input with its label; `read` turns its text into the value. */
  function field(label, input, read, shown = input) {
    add(element("label", {}, `${label} `, shown));
    input.addEventListener("input", changed);
    return {
      input,
      get value() { return read(input.value); },
      set value(given) { input.value = given; },
    };
  }

  const figure = {
    stage,
    update() {},
    /* The next controls stand in a line of their own, as a group with a name if it has one. */
    row(label) {
      const name = label ? { role: "group", "aria-label": label } : {};
      row = element("div", { class: "am-control", ...name }, ...(label ? [element("span", {}, label)] : []));
      panel.append(row);
    },
    /* From `min` to `max` by `step`, or through the list `of`; `write` says a value. */
    slider({ label, min = 0, max, step = 1, of, value, write = String }) {
      const ends = of ? { min: 0, max: of.length - 1, step: 1, value: of.indexOf(value) }
        : { min, max, step, value };
      const input = element("input", { type: "range", ...ends });
      const read = (text) => (of ? of[+text] : +text);
      const said = element("output");
      function show() {
        said.textContent = write(read(input.value));
        input.setAttribute("aria-valuetext", said.textContent);
      }
      input.addEventListener("input", show);
      const control = field(label, input, read, element("span", { class: "am-slide" }, input, said));
      show();
      return Object.defineProperty(control, "value", {
        get: () => read(input.value),
        set(given) { input.value = of ? of.indexOf(given) : given; show(); },
      });
    },
    /* A number to type; what is no number, or outside, counts as the nearest that is allowed. */
    number({ label, min = -Infinity, max = Infinity, step = "any", value }) {
      const ends = { min: Number.isFinite(min) && min, max: Number.isFinite(max) && max };
      const input = element("input", { type: "number", step, value: String(value), ...ends });
      return field(label, input, (text) => Math.min(max, Math.max(min, Number(text) || 0)));
    },
    /* One of `options`, pairs of a value and what the list calls it. */
    choice({ label, options, value }) {
      const list = element("select", {}, ...options.map(
        ([one, text]) => element("option", { value: String(one), selected: one === value }, text)));
      return field(label, list, (text) => options.find(([one]) => String(one) === text)[0]);
    },
    /* One line, or several that wrap, so that a long text is never cut; `lang` is its language. */
    text({ label, value, lines = 1, lang = "en" }) {
      const usual = { autocomplete: "off", spellcheck: "false", lang };
      const input = lines > 1 ? element("textarea", { rows: lines, ...usual }, value)
        : element("input", { type: "text", value, ...usual });
      return field(label, input, (text) => text);
    },
    /* On or off. */
    check({ label, value = false }) {
      const input = element("input", { type: "checkbox", checked: value });
      add(element("label", {}, input, ` ${label}`));
      input.addEventListener("input", changed);
      return { input, get value() { return input.checked; }, set value(on) { input.checked = on; } };
    },
    button({ label, press }) {
      const button = add(element("button", { type: "button" }, label));
      button.addEventListener("click", function () { press(); changed(); });
      return button;
    },
    draw(...pictures) { drawing.replaceChildren(...pictures); },
    say(text) { if (result.textContent !== text) result.textContent = text; },
    table(header, rows) {
      const cell = (name, text, scope) => element(name, scope ? { scope } : {}, String(text));
      const head = element("tr", {}, ...header.map((text) => cell("th", text, "col")));
      const body = rows.map((texts) => element("tr", {}, ...texts.map((text) => cell("td", text))));
      numbers.replaceChildren(element("thead", {}, head), element("tbody", {}, ...body));
    },
    /* Pixels that a drawing may be wide. */
    get width() { return Math.max(280, Math.min(560, drawing.clientWidth || 560)); },
  };
  /* A drawing fits its column: it is made again when the column's width changes. */
  let before = figure.width;
  new ResizeObserver(function () {
    if (figure.width !== before) { before = figure.width; figure.update(); }
  }).observe(stage);
  return figure;
};
