/* How much of a chapter is done: a quiet sign beside its name in the sidebar, and a line below it in
   the table of chapters on the first page. Nothing where nothing is done yet. */
"use strict";
document.addEventListener("DOMContentLoaded", function () {
  const SAY = Say.texts({ done: "{done} of {all} done" });

  function sign(link) {
    const inTable = link.closest(".am-chapters") !== null;
    const mark = document.createElement("span"), words = document.createElement("span");
    mark.className = inTable ? "am-share" : "am-sign";
    words.className = inTable ? "am-counted" : "am-counted am-only-heard";
    if (inTable) {
      mark.append(words);
      link.after(mark);
    } else {
      const ring = document.createElement("span");
      ring.className = "am-ring";
      ring.append(words);
      mark.append("\u00a0", ring);  // on one line with the last word
      link.append(mark);
    }
    return mark;
  }

  Object.entries(COURSE).forEach(function ([chapter, { page }]) {
    const links = [...document.querySelectorAll(".bd-sidebar-primary a, .am-chapters a")]
      .filter((link) => decodeURI(link.pathname).endsWith(`/${page}.html`));
    const marks = links.map(sign);
    Progress.watch(function () {
      const { done, all } = Progress.count(Progress.all(chapter));
      marks.forEach(function (mark) {
        mark.hidden = done === 0;
        mark.classList.toggle("am-whole", done === all);
        mark.style.setProperty("--share", done / all);
        mark.querySelector(".am-counted").textContent =
          Say.fill(SAY.done, { done, all });
      });
    });
  });
});
