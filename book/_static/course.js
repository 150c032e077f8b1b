/* Mark the blockquotes that open with a known bold word, so that course.css can dress them. */
document.addEventListener("DOMContentLoaded", function () {
  const kinds = { "predict.": "predict", "note.": "note", "what breaks.": "breaks" };
  document.querySelectorAll("article blockquote").forEach(function (quote) {
    const first = quote.querySelector(":scope > p:first-of-type > strong:first-child");
    const kind = first && kinds[first.textContent.trim().toLowerCase()];
    if (kind) quote.classList.add(kind);
  });
});
