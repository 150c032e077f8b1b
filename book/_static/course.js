/* Small repairs and marks on each page, before the widgets are drawn (they wait for `load`). */
document.addEventListener("DOMContentLoaded", function () {
  /* Blockquotes that open with a known bold word: course.css dresses them. */
  const kinds = { "predict.": "predict", "note.": "note", "what breaks.": "breaks" };
  document.querySelectorAll("article blockquote").forEach(function (quote) {
    const first = quote.querySelector("p > strong:first-child");
    const kind = first && kinds[first.textContent.trim().toLowerCase()];
    if (kind) quote.classList.add(kind);
  });

  /* ipywidgets still asks MathJax 2 to typeset its labels; this page has MathJax 3. */
  if (window.MathJax && !MathJax.Hub) {
    MathJax.Hub = {
      Queue: function (task) {
        MathJax.startup.promise.then(function () { MathJax.typesetPromise([task[2]]); });
      },
    };
  }

  /* A folded cell is named by its visible text. */
  document.querySelectorAll("details.hide > summary").forEach(function (summary) {
    summary.removeAttribute("aria-label");
  });

  /* What scrolls sideways can be reached by keyboard. */
  function markScrolling() {
    document.querySelectorAll(".am-scroll, .am-table").forEach(function (box) {
      if (box.scrollWidth <= box.clientWidth) return;
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      if (!box.hasAttribute("aria-label")) {
        box.setAttribute("aria-label", "Wide content, scrolls sideways");
      }
    });
  }
  markScrolling();
  window.addEventListener("load", markScrolling);
  window.addEventListener("resize", markScrolling);

  /* The entries of the bibliography are items of a list, for a screen reader too. */
  document.querySelectorAll(".citation-list > .citation").forEach(function (entry) {
    entry.setAttribute("role", "listitem");
  });
});
