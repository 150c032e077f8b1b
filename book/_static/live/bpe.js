/* Byte pair encoding, as course_lib/text/bpe.py does it: text becomes tokens, tokens become text.

       const tokens = AM.bpe(alphabet, merges);       // merges: "l o", "lo w", …, the first learned first
       tokens.encode("low lower");                    // numbers
       tokens.decode(numbers);                        // "low lower"

   Only encoding and decoding: what to merge was learned in Python. */
"use strict";
{
  const SPECIALS = ["<pad>", "<s>", "</s>", "<unk>"];  // ids 0 to 3, before the alphabet
  const UNKNOWN = 3;
  const END = "▁";  // the end of a word, which decoding turns back into a space
  const SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/u;  // Python's
  const WORD = /[\p{L}\p{N}_]+▁?|[^\p{L}\p{N}_▁]▁?/gu;

  AM.bpe = function (alphabet, merges) {
    const ranks = new Map(merges.map((pair, rank) => [pair, rank]));
    const names = [...new Set([...SPECIALS, ...alphabet, ...merges.map((pair) => pair.replace(" ", ""))])];
    const ids = new Map(names.map((name, id) => [name, id]));
    const cut = new Map();  // words met before

    /* A text as words and punctuation marks; END stands where a space followed. */
    function words(text) {
      const spaced = text.normalize("NFC").replaceAll(END, " ").split(SPACE).filter(Boolean);
      return spaced.map((word) => word + END).join("").match(WORD) || [];
    }

    /* A word as tokens: again and again, join the pair that was learned first, the leftmost of them. */
    function pieces(word) {
      const parts = [...word];
      for (;;) {
        let best = Infinity, at = -1;
        for (let i = 0; i + 1 < parts.length; i++) {
          const rank = ranks.get(`${parts[i]} ${parts[i + 1]}`);
          if (rank < best) { best = rank; at = i; }
        }
        if (at < 0) return parts;
        parts.splice(at, 2, parts[at] + parts[at + 1]);
      }
    }

    function split(text) {
      return words(text).flatMap(function (word) {
        if (!cut.has(word)) cut.set(word, pieces(word));
        return cut.get(word);
      });
    }

    return {
      names,
      split,
      encode(text) {
        return split(text).map((piece) => (ids.get(piece) > UNKNOWN ? ids.get(piece) : UNKNOWN));
      },
      decode(numbers) {
        return numbers.filter((id) => id >= UNKNOWN).map((id) => names[id]).join("").replaceAll(END, " ").trim();
      },
      /* The characters of a text that the alphabet lacks, each once. */
      unknown(text) {
        return [...new Set(split(text).filter((piece) => !ids.has(piece)))];
      },
    };
  };
}
