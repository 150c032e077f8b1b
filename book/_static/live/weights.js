/* Weights of a model, fetched when a reader asks for them.

       AM.fetchWeights("lab_french").then(use, (error) => show(error.message));

   gives a file { name, tensors, …what else its header says, such as vocabularies }. `tensors` maps
   torch's names to matrices and vectors as tensors.js takes them. A failed try ends with an error
   whose message is for the reader, and may be tried again; what was fetched once is kept.

   The file is a script, live/NAME.js, because a page opened from a folder (file://) may load scripts
   and nothing else. tools/live.py writes it when the pages are built, as one call:

       AM.weights("lab_french", { bytes, check, tensors: { name: { type, shape, at } }, … }, "base64");

   `check` is the Adler-32 sum of the bytes. A tensor starts at byte `at` and has one of two types:
     "f16"  floats of 16 bits;
     "i8"   whole numbers of 8 bits, preceded by one 32-bit float for each row, its scale; a number
            of the tensor is the whole number times the scale of its row.
   Everything is little-endian. */
"use strict";
{
  const SAY = Say.texts({
    missing: "The model’s file {name}.js did not arrive. Check the connection, then try again.",
    broken: "The model’s file {name}.js arrived incomplete or damaged. Try again; if that does not help, "
      + "reload the page.",
    late: "The model’s file {name}.js has not arrived after {seconds} seconds. Try again.",
  });
  const PATIENCE = 90;  // seconds
  const here = document.currentScript && document.currentScript.src;
  const arrived = {};  // name → { header, text }, from the moment when the script ran
  const files = {};  // name → promise of a file
  const tries = {};

  AM.weightsFolder = new URL(".", here || document.baseURI).href;

  AM.weights = function (name, header, text) {
    arrived[name] = { header, text };
  };

  AM.fetchWeights = function (name, patience = PATIENCE) {
    files[name] = files[name] || load(name, patience).catch(function (error) {
      delete files[name];
      throw error;
    });
    return files[name];
  };

  async function load(name, patience) {
    if (!arrived[name]) await script(name, patience);
    const given = arrived[name];
    delete arrived[name];  // the text is not needed again, and large
    const file = given && read(name, given);
    if (!file) throw new Error(Say.fill(SAY.broken, { name }));
    return file;
  }

  function script(name, patience) {
    return new Promise(function (resolve, reject) {
      const tag = document.createElement("script");
      tries[name] = (tries[name] || 0) + 1;
      // A further try has another address, so that a damaged copy in the browser's cache is not it.
      tag.src = `${AM.weightsFolder}${name}.js${tries[name] > 1 ? `?try=${tries[name]}` : ""}`;
      const timer = setTimeout(() => reject(new Error(Say.fill(SAY.late, { name, seconds: patience }))), 1000 * patience);
      const done = (settle) => function () {
        clearTimeout(timer);
        tag.remove();
        settle();
      };
      tag.onload = done(resolve);  // also after a script that stops in the middle
      tag.onerror = done(() => reject(new Error(Say.fill(SAY.missing, { name }))));
      document.head.append(tag);
    });
  }

  /* The file, or null where the bytes are not those that were written. */
  function read(name, { header, text }) {
    let bytes;
    try {
      bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    } catch {
      return null;  // no base64
    }
    if (bytes.length !== header.bytes || adler32(bytes) !== header.check) return null;
    const tensors = {};
    for (const [tensor, { type, shape, at }] of Object.entries(header.tensors)) {
      const values = TYPES[type](bytes.buffer, at, shape);
      tensors[tensor] = shape.length > 1 ? { shape, values } : values;
    }
    return { ...header, name, tensors };
  }

  const TYPES = {
    f16(buffer, at, shape) {
      const table = halves();
      return Float32Array.from(new Uint16Array(buffer.slice(at, at + 2 * size(shape))), (bits) => table[bits]);
    },
    i8(buffer, at, shape) {
      const rows = shape.length > 1 ? shape[0] : 1;
      const columns = size(shape) / rows;
      const scales = new Float32Array(buffer.slice(at, at + 4 * rows));
      const whole = new Int8Array(buffer, at + 4 * rows, size(shape));
      return Float32Array.from(whole, (value, i) => value * scales[Math.floor(i / columns)]);
    },
  };

  const size = (shape) => shape.reduce((a, b) => a * b, 1);

  /* What each of the 65,536 patterns of 16 bits means: 1 of sign, 5 of exponent, 10 of fraction. */
  let known = null;
  function halves() {
    known = known || Float32Array.from({ length: 65536 }, function (_, bits) {
      const sign = bits >> 15 ? -1 : 1;
      const exponent = (bits >> 10) & 31;
      const fraction = (bits & 1023) / 1024;
      if (exponent === 31) return fraction ? NaN : sign * Infinity;
      return sign * (exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14);
    });
    return known;
  }

  function adler32(bytes) {
    let [a, b] = [1, 0];
    for (let i = 0; i < bytes.length; i++) {
      a += bytes[i];
      b += a;
      if (i % 3800 === 3799) [a, b] = [a % 65521, b % 65521];  // before the sums leave 32 bits
    }
    return (b % 65521) * 65536 + (a % 65521);
  }
}
