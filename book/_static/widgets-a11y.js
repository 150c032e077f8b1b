/* Names for the controls that ipywidgets leaves unnamed: slider handles and the buttons of Play.
   And the state of a choice, which it shows by color alone, and of a slider over words, which it
   says as a number. */
(function () {
  function name(element, text) {
    if (!element.getAttribute("aria-label")) element.setAttribute("aria-label", text);
  }
  function pass() {
    document.querySelectorAll(".widget-slider").forEach(function (slider) {
      const label = slider.querySelector(".widget-label");
      const text = (label && label.textContent.trim()) || "slider";
      slider.querySelectorAll(".noUi-handle").forEach(function (handle) { name(handle, text); });
      slider.querySelectorAll(".widget-readout").forEach(function (readout) {
        const handles = slider.querySelectorAll(".noUi-handle");
        if (handles.length === 1) handles[0].setAttribute("aria-valuetext", readout.textContent);
        name(readout, text + ", value");
      });
    });
    document.querySelectorAll(".widget-play").forEach(function (play) {
      const names = ["Play or pause", "Stop", "Repeat"];
      play.querySelectorAll("button").forEach(function (button, i) {
        name(button, names[i] || "button");
      });
    });
    document.querySelectorAll(".widget-toggle-button").forEach(function (button) {
      button.setAttribute("aria-pressed", String(button.classList.contains("mod-active")));
    });
  }
  document.addEventListener("DOMContentLoaded", function () {
    pass();
    new MutationObserver(pass).observe(document.body, {
      attributeFilter: ["class"], childList: true, subtree: true,
    });
  });
})();
