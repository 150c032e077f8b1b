/* Loaded after require.js and before embed-amd.js, on pages with widgets whose scripts are vendored:
   the widget manager and its icon font come from this site. */
(function () {
  const base = document.currentScript.src.replace(/widgets-init\.js.*$/, "vendor/widgets");
  window.__jupyter_widgets_assets_path__ = base + "/";
  window.requirejs.config({
    paths: {
      "@jupyter-widgets/html-manager/dist": base,
      "@jupyter-widgets": base,
    },
  });
})();
