/* What the scripts of a page say, in the language of the page.

       const SAY = Say.texts({ show: "Show me", part: "{label}: {guess}" });
       Say.fill(SAY.part, { label, guess });

   The scripts are written in English. A page in another language loads texts.js before this file; it
   sets AM_TEXTS, the text of that language by the English one. Where it has none, the English stays.
   What a reader sees or hears stands in such a call, each text whole and in quotation marks, so that
   tools/script_messages.py can list it for translation. */
"use strict";
const Say = (function () {
  const others = window.AM_TEXTS || {};

  /* The same object or list with each text in the language of the page. */
  function texts(given) {
    if (typeof given === "string") return others[given] || given;
    if (Array.isArray(given)) return given.map(texts);
    return Object.fromEntries(Object.entries(given).map(([name, one]) => [name, texts(one)]));
  }

  /* A text with its slots filled; a slot of which nothing is known stays as it is. */
  function fill(template, values) {
    return template.replace(/\{(\w+)\}/g, (slot, name) => values[name] ?? slot);
  }

  return { texts, fill };
})();
