/* Small repairs and marks on each page. Everything reads well without them. */
document.addEventListener("DOMContentLoaded", function () {
  const root = document.documentElement;
  const all = (selector) => [...document.querySelectorAll(selector)];
  const SAY = Say.texts({
    more: "More of {chapter}",
    wider: "⟷ wider than the page: scroll sideways",
    wide: "Wide content, scrolls sideways",
  });

  /* The menu opens what stands under a chapter with an arrow that has no text. */
  all(".toctree-toggle").forEach(function (arrow) {
    const chapter = arrow.closest("li").querySelector("a").textContent.trim();
    arrow.parentElement.setAttribute("aria-label", Say.fill(SAY.more, { chapter }));
  });

  /* Folded code: each cell has a tab, named by its visible text; one switch opens them all. */
  const folded = all("details.hide.above-input");
  folded.forEach((one) => one.querySelector("summary").removeAttribute("aria-label"));
  all(".am-code-switch").forEach(function (button) {
    function show(shown) {
      if (shown) root.dataset.code = "shown"; else delete root.dataset.code;
      folded.forEach((one) => { one.open = shown; });
      button.setAttribute("aria-pressed", String(shown));
      button.textContent = shown ? button.dataset.hide : button.dataset.show;
    }
    if (root.dataset.code === "shown") show(true);
    button.addEventListener("click", function () {
      const shown = root.dataset.code !== "shown";
      const place = document.elementsFromPoint(innerWidth / 2, innerHeight / 2)
        .find((element) => element.closest("article section > *"));
      const top = place && place.getBoundingClientRect().top;
      show(shown);
      if (place) scrollBy(0, place.getBoundingClientRect().top - top);
      try { localStorage.setItem("code", shown ? "shown" : "folded"); } catch { /* not remembered */ }
    });
  });

  /* What scrolls sideways says so, fades where it is cut, and can be reached by keyboard. */
  const boxes = all(
    "article :is(.am-scroll, .am-table, .pst-scrollable-table-container, div.math, " +
    ".output.text_html, div.highlight pre, mjx-container)"
  );
  function mark(box) {
    // A wide table first gets smaller type and lines that wrap.
    if (box.matches(".am-table") && box.scrollWidth > box.clientWidth + 1) {
      box.classList.add("am-tight");
    }
    // A formula hides its spoken twin, which may stick out: only what is drawn counts.
    const drawn = box.querySelector(":scope > mjx-math");
    const inside = drawn ? drawn.getBoundingClientRect().width : box.scrollWidth;
    const over = inside - box.clientWidth;
    // What is wide inside a box says so itself.
    const within = Array.from(box.querySelectorAll(".am-scroll, .am-table"));
    const told = within.some(function (one) { return one.scrollWidth > one.clientWidth + 1; });
    // On a phone a picture takes a little of the margin: that is no cut.
    const margin = box.querySelector(".am-figure") ? 10 : 1;
    const cut = over > margin && box.clientWidth > 0 && !told;
    box.classList.toggle("am-cut", cut);
    const cue = box.nextElementSibling;
    const has = cue && cue.classList.contains("am-cue");
    if (!cut) {
      box.classList.remove("am-cut-left", "am-cut-right");
      if (has && box.clientWidth > 0) cue.remove();
      return;
    }
    box.classList.toggle("am-cut-left", box.scrollLeft > 1);
    box.classList.toggle("am-cut-right", box.scrollLeft < over - 1);
    if (!has && !box.matches("pre, mjx-container")) {  // these fade, which is sign enough
      const sign = document.createElement("div");
      sign.className = "am-cue";
      sign.setAttribute("aria-hidden", "true");
      sign.textContent = SAY.wider;
      box.after(sign);
    }
    box.tabIndex = 0;
    if (!box.hasAttribute("role")) box.setAttribute("role", "group");
    if (!box.hasAttribute("aria-label")) box.setAttribute("aria-label", SAY.wide);
  }
  const watch = new ResizeObserver(function (seen) {
    seen.filter((one) => one.target.isConnected)  // a live figure draws anew
      .forEach((one) => mark(boxes.includes(one.target) ? one.target : one.target.parentElement));
  });
  function follow(box) {
    if (!boxes.includes(box)) boxes.push(box);
    watch.observe(box);
    if (box.firstElementChild) watch.observe(box.firstElementChild);
    box.addEventListener("scroll", () => mark(box), { passive: true });
  }
  boxes.forEach(follow);
  addEventListener("load", () => boxes.forEach(mark));
  addEventListener("load", function () {
    if (!window.MathJax || !MathJax.startup) return;
    MathJax.startup.promise.then(function () {
      all("article mjx-container").forEach(follow);
      boxes.forEach(mark);
    });
  });

  /* Paper is white, whatever the screen is. */
  let theme;
  addEventListener("beforeprint", function () {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
  });
  addEventListener("afterprint", function () { root.dataset.theme = theme; });

  /* The entries of the bibliography are items of a list, for a screen reader too. */
  all(".citation-list > .citation").forEach((entry) => entry.setAttribute("role", "listitem"));

  /* An excerpt of the search is prose: no code, no buttons, no numbers of a picture; and no
     handlers, at which the policy of this page would take offense. */
  if (typeof Search !== "undefined" && Search.htmlToText) {
    const whole = Search.htmlToText;
    Search.htmlToText = function (text, anchor) {
      const still = text.replace(/\son\w+="[^"]*"/g, "");
      const page = new DOMParser().parseFromString(still, "text/html");
      page.querySelectorAll(
        "svg, style, script, summary, button, nav, .cell_input, .am-control, .am-table, table, " +
        ".onlyprint, .bd-header-article, .prev-next-footer, .bd-sidebar-secondary, .am-look, " +
        ".headerlink, .math, footer, [hidden]"
      ).forEach((element) => element.remove());
      return whole.call(Search, page.documentElement.outerHTML, anchor);
    };
  }

  /* The other edition opens at the section that is being read; its sections have the same names. */
  all(".am-edition").forEach(function (link) {
    link.addEventListener("click", function () {
      const read = all("article section[id]").filter((one) => one.getBoundingClientRect().top < 120);
      link.hash = read.length > 1 ? read[read.length - 1].id : "";
    });
  });
});
