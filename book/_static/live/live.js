/* Figures that compute. A script NAME.js says what its figure does:

       AM.live("NAME", function (stage, values) { … }, { softmax });

   Each <div class="am-live" data-live="NAME" data-values="JSON"> of the page gets a stage, an empty
   box in which the function builds the figure; the last argument names what the script computes, for
   the tests and for you, in the browser's console: AM.computes.NAME.softmax([2, 1, 0], 1).
   What stood in the place, a picture and a table of numbers, stays for paper, and for everyone where
   no script runs or the function fails.

   How a figure is made (temperature.js is a short one):
     1. In the notebook `live.live_figure("NAME", picture, …, key=value)` gives the still picture of the
        first state, and the values.
     2. NAME.js holds, inside one block { … } so that its names stay its own, the texts
        (const SAY, see say.js), the arithmetic, and the call of AM.live.
     3. There `AM.figure(stage, SAY.invite)` of controls.js makes the controls, the line that says the
        result and the table; `AM.chart` and `AM.heat` of chart.js draw. `figure.update` is the one
        function that reads the controls and shows everything again.
     4. A script it stands on besides these three goes into PARTS of tools/pages.py.
     5. tests/browser/test_live_figures.py compares its numbers with Python's. */
"use strict";
const AM = {
  figures: {},
  computes: {},
  live(name, start, computes = {}) {
    AM.figures[name] = start;
    AM.computes[name] = computes;
  },
};
document.addEventListener("DOMContentLoaded", function () {
  document.querySelectorAll(".am-live").forEach(function (place) {
    const stage = document.createElement("div");
    const still = document.createElement("div");
    stage.className = "am-stage";
    still.className = "am-still";
    still.append(...place.childNodes);
    if (place.classList.contains("am-stays")) place.append(still, stage);
    else place.append(stage, still);
    try {
      AM.figures[place.dataset.live](stage, JSON.parse(place.dataset.values));
      place.classList.add("am-alive");
    } catch (error) {
      place.replaceChildren(...still.childNodes);
      console.warn(`The live figure “${place.dataset.live}” shows its still picture: ${error}`);
    }
  });
});
