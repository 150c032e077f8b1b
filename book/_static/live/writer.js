/* Chapter 10: write with the course's own GPT, token by token. The reader types a beginning and sees
   what the model would write next, cut by temperature, top-k and top-p; chooses a token, draws one, or
   lets it write on.

   It stands on weights.js (they are fetched when asked for), bpe.js (text ↔ tokens), gpt.js (the model,
   on tensors.js) and sampling.js (temperature, top-k, top-p). Below: the texts; which part of a long text the
   model reads; what the figure shows; what the buttons do. */
"use strict";
{
  const SAY = Say.texts({
    offer: "Write with this model yourself: give it a beginning, see what could come next, choose a token or let it draw one.",
    load: "Load the model (about 5 MB)",
    loading: "The model is being loaded …",
    again: "Try again",
    failed: "{why} The picture above does without it.",
    invite: "Choose the next token yourself, or let the model draw it. Where is it sure, and where do top-k and top-p cut?",
    about: "This model has 3.9 million weights and has read the introductions of an encyclopedia, in lower case. It makes things up: places, years and names are drawn, not known.",
    prompt: "Prompt",
    begin: "Begin",
    others: "Or begin with",
    temperature: "Temperature",
    topK: "Top-k",
    topP: "Top-p",
    all: "all",
    draw: "Draw one",
    write: "Write on",
    stop: "Stop",
    undo: "Undo",
    restart: "Start again",
    seed: "Seed",
    fixed: "keep it",
    written: "The text so far",
    next: "What could come next: choose a token",
    choose: "choose this token",
    chooseCut: "choose it all the same",
    cut: "cut",
    end: "end of the text",
    unknown: "unknown",
    rest: "all {count} others, {left} of them left",
    left: "{left} of {all} tokens are left to draw from.",
    leftOne: "One of {all} tokens is left to draw from.",
    chosen: "You chose “{token}”, which had {p}.",
    chosenCut: "You chose “{token}”, which had been cut.",
    drawn: "“{token}” was drawn, which had {p}.",
    wrote: "{count} tokens were drawn.",
    wroteOne: "One token was drawn.",
    ended: "The text has come to its end. Undo a token, or start again.",
    none: "Without a prompt, the model begins an article of its own.",
    strange: "The tokenizer has never seen {listed}. Each becomes <unk>, and the model cannot know what stood there.",
    long: "The model reads at most {most} tokens. Of this text it reads the last {seen}; what stands in italics has been forgotten.",
    header: ["token", "probability at this temperature", "after top-k and top-p"],
  });
  const [PAD, BOS, EOS, UNKNOWN] = [0, 1, 2, 3];
  const NEVER = [PAD, BOS];  // what is never written
  const SHOWN = 12, AT_ONCE = 40, PAUSE = 120, SLICE = 30;  // tokens, tokens, and milliseconds
  const TEMPERATURES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.4, 1.6, 1.8, 2, 3, 5, 10];
  const RANKS = [1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100, 200, 500, Infinity];
  const SUMS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 1];
  const MOST = 2000;  // characters: more than 128 tokens ever have
  const STRANGE = 8;  // characters, of those that the tokenizer lacks, are named

  const { element } = AM;
  const wait = (time) => new Promise((done) => setTimeout(done, time));
  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  const probability = (p) => (p > 0 && p < 0.001 ? "< 0.001" : AM.number(p, p < 0.1 && p > 0 ? 3 : 2));

  /* Where the part of a text begins that the model reads. All of it, as long as it fits; then half a
     window is left behind at a time, for the places of the rest change, and it has to be read again. */
  function windowStart(length, context) {
    return length <= context ? 0 : Math.ceil((length - context) / (context / 2)) * (context / 2);
  }

  /* Reads a growing list of tokens, each once; the scores of what comes after the last. Long reading is
     done in slices, so that the page stays at hand. */
  function reader(model) {
    let start = 0, known = [];  // what the model's keys and values belong to
    return async function (tokens) {
      const from = windowStart(tokens.length, model.context);
      const seen = tokens.slice(from);
      let same = 0;
      while (from === start && same < seen.length - 1 && seen[same] === known[same]) same++;
      [start, known] = [from, seen];
      let state, since = performance.now();
      for (let place = same; place < seen.length; place++) {
        state = model.read(seen[place], place);
        if (performance.now() - since > SLICE) { await wait(0); since = performance.now(); }
      }
      return model.logits(state);
    };
  }

  /* A token as the page shows it, and as it is said in a sentence. */
  function shown(names, token) {
    if (token === EOS) return SAY.end;
    return token === UNKNOWN ? SAY.unknown : names[token];
  }

  function play(stage, { prompts, prompt = prompts[0], seed }, { model, tokens }) {
    const figure = AM.figure(stage, SAY.invite);
    const read = reader(model);
    const names = tokens.names;
    /* The text: its tokens, and for each that was not in the prompt the probability it had, 0 where it
       had been cut. `scores` are for what comes next. */
    let text = [BOS], had = [], scores = null, notes = [], doing = "";
    let random, writing = false, queue = Promise.resolve();

    // The controls

    stage.firstElementChild.after(element("p", { class: "am-about" }, SAY.about));
    const typed = figure.text({ label: SAY.prompt, value: prompt });
    figure.button({ label: SAY.begin, press: () => begin() });
    typed.input.addEventListener("keydown", (event) => { if (event.key === "Enter") begin(); });
    figure.row(SAY.others);
    for (const one of prompts) {
      figure.button({ label: one, press() { typed.value = one; begin(); } });
    }
    figure.row();
    const heat = figure.slider({ label: SAY.temperature, of: TEMPERATURES, value: 1, write: (v) => AM.number(v, 1) });
    const rank = figure.slider({ label: SAY.topK, of: RANKS, value: Infinity, write: (v) => (v < Infinity ? String(v) : SAY.all) });
    const sum = figure.slider({ label: SAY.topP, of: SUMS, value: 0.9, write: (v) => AM.number(v, 2) });
    const rules = heat.input.closest(".am-control");
    const page = element("p", { class: "am-writing", role: "group", "aria-label": SAY.written, tabindex: 0, translate: "no" });
    const warning = element("p", { class: "am-warning", role: "status" });
    const heard = element("p", { class: "visually-hidden", role: "status" });  // what was written at once
    rules.classList.add("am-rules");
    rules.after(page, warning, heard);
    figure.row();
    const draw = figure.button({ label: SAY.draw, press: () => drawMany(1) });
    const write = figure.button({ label: SAY.write, press: () => (writing ? stop() : drawMany(AT_ONCE)) });
    const undo = figure.button({ label: SAY.undo, press: () => { stop(); act(back); } });
    figure.button({ label: SAY.restart, press: () => begin() });
    const number = figure.number({ label: SAY.seed, min: 0, max: 9999, step: 1, value: seed ?? 0 });
    const fixed = figure.check({ label: SAY.fixed, value: seed !== undefined });
    number.input.addEventListener("input", function () {
      fixed.value = true;
      random = AM.random(number.value);
    });
    stage.querySelector(".am-drawing").before(stage.querySelector(".am-result"));
    const list = element("ol", { class: "am-next", "aria-label": SAY.next });
    figure.draw(list);

    // What is shown

    function distribution() {
      return AM.truncated(scores, { temperature: heat.value, topK: rank.value, topP: sum.value, never: NEVER });
    }

    function bar(length, left) {
      const inside = element("span", { class: left ? "left" : "cut" });
      inside.style.width = `${100 * length}%`;
      return element("span", { class: "bar", "aria-hidden": "true" }, inside);
    }

    function bars({ order, before, after }) {
      const first = order.slice(0, SHOWN), rest = order.slice(SHOWN).filter((token) => !NEVER.includes(token));
      const focused = [...list.querySelectorAll("button")].indexOf(document.activeElement);
      list.replaceChildren(...first.map(function (token) {
        const left = after[token] > 0;
        const button = element("button", { type: "button", class: left ? "" : "is-cut" },
          element("span", { class: "token", translate: "no" }, shown(names, token)), bar(left ? after[token] : before[token], left),
          element("span", { class: "value" }, left ? probability(after[token]) : SAY.cut),
          element("span", { class: "visually-hidden" }, left ? SAY.choose : SAY.chooseCut));
        button.addEventListener("click", function () { stop(); act(() => add(token, after[token], true)); });
        return element("li", {}, button);
      }));
      const sumOf = (values) => rest.reduce((total, token) => total + values[token], 0);
      const left = rest.filter((token) => after[token] > 0).length;
      list.append(element("li", { class: "rest" },
        element("span", { class: "token" }, Say.fill(SAY.rest, { count: AM.number(rest.length), left: AM.number(left) })),
        bar(left ? sumOf(after) : sumOf(before), left > 0),
        element("span", { class: "value" }, left ? probability(sumOf(after)) : SAY.cut)));
      if (focused >= 0) list.querySelectorAll("button")[focused].focus({ preventScroll: true });
      figure.table(SAY.header, first.map((token) => [shown(names, token), AM.number(before[token], 4), AM.number(after[token], 4)]));
    }

    /* The tokens one by one; below each that was not in the prompt the probability it had. */
    function showText() {
      const from = windowStart(text.length, model.context), given = text.length - had.length;
      let word = element("span", { class: "word" });
      page.replaceChildren(word);
      for (let place = 1; place < text.length; place++) {
        const name = shown(names, text[place]), piece = name.replace("▁", "");
        const kind = place < from ? "token forgotten" : "token", p = had[place - given];
        const below = () => element("rt", {}, p > 0 ? probability(p) : SAY.cut);
        word.append(place < given ? element("span", { class: kind }, piece)
          : element("ruby", { class: `${kind} new` }, piece, below()));
        if (name.endsWith("▁") || text[place] === EOS) {
          word = element("span", { class: "word" });
          page.append(" ", word);
        }
      }
      if (text.length === 1) page.append("…");
      page.scrollTop = page.scrollHeight;
      const long = from > 0 ? [Say.fill(SAY.long, { most: model.context, seen: text.length - from })] : [];
      const warnings = [...notes, ...long].join(" ");
      if (warning.textContent !== warnings) warning.textContent = warnings;
    }

    figure.update = function () {
      const ended = text[text.length - 1] === EOS;
      write.textContent = writing ? SAY.stop : SAY.write;
      // Not `disabled`: a button that is switched off by its own press would lose the focus.
      draw.setAttribute("aria-disabled", ended || writing);
      write.setAttribute("aria-disabled", ended);
      undo.setAttribute("aria-disabled", had.length === 0);
      list.hidden = ended;
      if (scores === null) return;
      const found = distribution();
      bars(found);
      const left = found.after.reduce((count, p) => count + (p > 0), 0);
      const known = { left: AM.number(left), all: AM.number(names.length) };
      const count = Say.fill(left === 1 ? SAY.leftOne : SAY.left, known);
      if (!writing) figure.say([doing, ended ? SAY.ended : count].filter(Boolean).join(" "));
    };

    // What the buttons do, one thing after the other

    function act(action) {
      queue = queue.then(action);
      return queue;
    }
    function stop() { writing = false; }

    async function look() {
      showText();
      scores = await read(text);
      figure.update();
    }

    function begin() {
      stop();
      if (!fixed.value) number.value = Math.floor(1e4 * Math.random());
      return act(async function () {
        const lower = typed.value.toLowerCase().slice(-MOST);
        const strange = tokens.unknown(lower).slice(0, STRANGE).map((one) => `“${one}”`);
        text = [BOS, ...tokens.encode(lower)];
        [had, doing, random] = [[], "", AM.random(number.value)];
        notes = [...(text.length === 1 ? [SAY.none] : []), ...(strange.length ? [Say.fill(SAY.strange, { listed: strange.join(", ") })] : [])];
        await look();
      });
    }

    async function add(token, p, byReader) {
      const name = shown(names, token);
      text.push(token);
      had.push(p);
      doing = Say.fill(SAY.drawn, { token: name, p: probability(p) });
      if (byReader) doing = p > 0 ? Say.fill(SAY.chosen, { token: name, p: probability(p) }) : Say.fill(SAY.chosenCut, { token: name });
      await look();
    }

    async function back() {
      if (had.length === 0) return;
      text.pop();
      had.pop();
      doing = "";
      await look();
    }

    function drawMany(most) {
      if (writing || text[text.length - 1] === EOS) return;
      writing = most > 1;
      act(async function () {
        const start = text.length;
        for (let count = 0; count < most && text[text.length - 1] !== EOS; count++) {
          if (most > 1 && !writing) break;
          const { after } = distribution();
          const token = AM.draw(after, random());
          await add(token, after[token], false);
          if (most > 1) await wait(calm() ? 0 : PAUSE);
        }
        if (most > 1) {
          const count = text.length - start;
          doing = Say.fill(count === 1 ? SAY.wroteOne : SAY.wrote, { count });
          heard.textContent = tokens.decode(text.slice(start));
        }
        writing = false;
        figure.update();
      });
    }

    begin();
    draw.focus({ preventScroll: true });
    stage.scrollIntoView({ block: "start" });
  }

  AM.live("writer", function (stage, values) {
    const place = stage.parentElement;
    const button = element("button", { type: "button" }, SAY.load);
    const said = element("p", { class: "am-result", role: "status" }, SAY.offer);
    const offer = element("div", { class: "am-control" }, button);
    /* The picture stays above until the model is there. */
    function ask() {
      stage.replaceChildren(said, offer);
      place.classList.add("am-stays");
    }
    ask();
    button.addEventListener("click", async function () {
      button.disabled = true;
      said.textContent = SAY.loading;
      try {
        const { sizes, tensors, alphabet, merges } = await AM.fetchWeights("wikipedia_gpt");
        const parts = { tokens: AM.bpe(alphabet, merges), model: AM.gpt(sizes, tensors) };
        place.classList.remove("am-stays");
        play(stage, values, parts);
      } catch (error) {
        ask();
        said.textContent = Say.fill(SAY.failed, { why: error.message });
        button.textContent = SAY.again;
        button.disabled = false;
        button.focus({ preventScroll: true });
      }
    });
  }, { windowStart });
}
