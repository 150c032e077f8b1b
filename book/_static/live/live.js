/* Figures that compute. A script NAME.js says what its figure does,

       AM.live("NAME", function (place, values) { … });

   and each <div class="am-live" data-live="NAME" data-values="JSON"> of the page is given to it. What
   stood in the place, a picture and a table of numbers, is what the function replaces: where it
   fails, or no script runs, that stays. */
"use strict";
const AM = {
  figures: {},
  live(name, start) { AM.figures[name] = start; },
};
document.addEventListener("DOMContentLoaded", function () {
  document.querySelectorAll(".am-live").forEach(function (place) {
    const still = [...place.childNodes];
    try {
      AM.figures[place.dataset.live](place, JSON.parse(place.dataset.values));
      place.classList.add("am-alive");
    } catch (error) {
      place.replaceChildren(...still);
      console.warn(`The live figure “${place.dataset.live}” shows its still picture: ${error}`);
    }
  });
});
