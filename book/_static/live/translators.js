/* The course's three translators, run in the page: one fixed vector (chapter 2), an RNN with attention
   (chapter 4), a Transformer (chapter 6), each in as many lines as it takes. They compute what
   course_lib computes with the same weights; tests/browser/test_translator_scripts.py holds them together.

       AM.fetchWeights("lab_french").then(function (file) {       // weights.js; or "lab_korean"
         const models = AM.translators(file);
         models.attention.translate(["the", "cat", "sleeps"]);    // { words, weights, ended }
       });

   gives { fixed, attention, transformer, source, target }. `source` and `target` are vocabularies:
   { words, ids(words), has(word), PAD, BOS, EOS, UNK }, where words[id] is a token. Each model has

     start(sourceIds)        the state before the first word: the source is read
     step(state, tokenId)    { logits, weights, state } after a target token, the first being BOS.
                             logits has a number for each target token. weights has a number for each
                             source word, and they sum to 1: where the model looked for this word. The
                             Transformer looks with four heads in each of two layers; its weights are
                             the mean over the heads of the last layer. The fixed vector cannot look:
                             null. The old state stays valid, so another word can be tried from it.
     translate(words)        writes the likeliest word until the end mark, or until twice the length of
                             the source and ten more: { words, weights, ended }. weights[i] belongs to
                             words[i] (for the fixed vector null); ended is false if no end mark came.

   A translator knows the lab's words only: start and translate throw for a word outside the
   vocabulary, so ask source.has(word) first. */
"use strict";
AM.translators = (function () {
  const { embed, linear, dot, add, tanh, relu, concat, softmax, argmax, layerNorm, gru, mix, attend } = AM.tensors;
  const [PAD, BOS, EOS, UNK] = [0, 1, 2, 3];

  function vocabulary(words) {
    const place = new Map(words.map((word, id) => [word, id]));
    const has = (word) => place.get(word) > UNK;
    function id(word) {
      if (!has(word)) throw new RangeError(`“${word}” is not in the vocabulary`);
      return place.get(word);
    }
    return { words, has, ids: (sentence) => sentence.map(id), PAD, BOS, EOS, UNK };
  }

  /* What is called prefix + name in the file: get("output.weight"). */
  const under = (file, prefix) => function (name) {
    if (!file.tensors[prefix + name]) throw new RangeError(`no tensor is called ${prefix + name}`);
    return file.tensors[prefix + name];
  };

  const cell = (get, suffix = "l0") => ({
    fromInput: get(`weight_ih_${suffix}`), inputBias: get(`bias_ih_${suffix}`),
    fromState: get(`weight_hh_${suffix}`), stateBias: get(`bias_hh_${suffix}`),
  });

  /* The states after each vector, from the first to the last. */
  function read(vectors, recurrent) {
    let state = new Float32Array(recurrent.fromState.shape[1]);
    return vectors.map((vector) => (state = gru(vector, state, recurrent)));
  }

  /* What both recurrent translators have: a GRU that writes. `context(state)` gives { context,
     weights }, the vector c that it sees beside the word before. */
  function writer(get, context) {
    const recurrent = cell((name) => get(`rnn.${name}`));
    return {
      first: (c) => tanh(linear(c, get("start.weight"), get("start.bias"))),
      step(state, token) {
        const seen = context(state);
        const input = concat(embed(get("embedding.weight"), token), seen.context);
        const hidden = gru(input, state.hidden, recurrent);
        const logits = linear(hidden, get("output.weight"), get("output.bias"));
        return { logits, weights: seen.weights, state: { ...state, hidden } };
      },
    };
  }

  /* Chapter 2: the last state of the encoder is all that the decoder gets. */
  function fixedVector(file) {
    const encoder = under(file, "fixed.encoder.");
    const recurrent = cell((name) => encoder(`rnn.${name}`));
    const decoder = writer(under(file, "fixed.decoder."), (state) => ({ context: state.vector, weights: null }));
    return {
      start(source) {
        const vectors = source.map((id) => embed(encoder("embedding.weight"), id));
        const vector = read(vectors, recurrent).pop();
        return { vector, hidden: decoder.first(vector) };
      },
      step: decoder.step,
    };
  }

  /* Chapter 4: a state for each source word, read in both directions, and at every step a new mean of
     them. A word's score is v · tanh(W q + U k), q the decoder's state, k the word's. */
  function withAttention(file) {
    const encoder = under(file, "attention.encoder.");
    const forward = cell((name) => encoder(`rnn.${name}`));
    const backward = cell((name) => encoder(`rnn.${name}`), "l0_reverse");
    const get = under(file, "attention.decoder.");
    const energy = get("score.energy.weight").values;  // v
    const decoder = writer(get, function (state) {
      const query = linear(state.hidden, get("score.query.weight"));
      const weights = softmax(state.keys.map((key) => dot(energy, tanh(add(query, key)))));
      return { context: mix(weights, state.values), weights };
    });
    return {
      start(source) {
        const vectors = source.map((id) => embed(encoder("embedding.weight"), id));
        const there = read(vectors, forward);
        const back = read([...vectors].reverse(), backward).reverse();
        const values = there.map((state, s) => concat(state, back[s]));
        const both = concat(there[there.length - 1], back[0]);  // each direction's last
        const last = tanh(linear(both, encoder("bridge.weight"), encoder("bridge.bias")));
        const keys = values.map((value) => linear(value, get("score.key.weight")));  // U k
        return { keys, values, hidden: decoder.first(last) };
      },
      step: decoder.step,
    };
  }

  /* Chapter 6: attention and a small network, layer after layer, each adding to what comes in. */
  function transformer(file) {
    const get = under(file, "transformer.");
    const { heads, layers } = file.models.transformer;
    const numbers = Array.from({ length: layers }, (_, i) => i);
    const map = (name, x) => linear(x, get(`${name}.weight`), get(`${name}.bias`));
    const norm = (name, x) => layerNorm(x, get(`${name}.weight`), get(`${name}.bias`));

    /* Embedding · √D, plus sines and cosines of the position. */
    function embedded(side, id, position) {
      const vector = embed(get(`${side}_embedding.embedding.weight`), id);
      const width = vector.length;
      return vector.map(function (value, i) {
        const angle = position / 10000 ** ((i - (i % 2)) / width);
        return value * Math.sqrt(width) + (i % 2 ? Math.cos(angle) : Math.sin(angle));
      });
    }

    function look(name, x, keys, values) {
      const seen = attend(map(`${name}.query`, x), keys, values, heads);
      return { out: map(`${name}.output`, seen.context), weights: seen.weights };
    }

    function think(layer, x) {
      const inside = relu(map(`${layer}.feed_forward.hidden`, norm(`${layer}.feed_residual.norm`, x)));
      return add(x, map(`${layer}.feed_forward.output`, inside));
    }

    function encode(source) {
      let states = source.map((id, position) => embedded("source", id, position));
      for (const i of numbers) {
        const layer = `encoder.layers.${i}`;
        const normed = states.map((x) => norm(`${layer}.self_residual.norm`, x));
        const keys = normed.map((x) => map(`${layer}.self_attention.key`, x));
        const values = normed.map((x) => map(`${layer}.self_attention.value`, x));
        states = states.map(function (x, s) {
          return think(layer, add(x, look(`${layer}.self_attention`, normed[s], keys, values).out));
        });
      }
      return states.map((x) => norm("encoder.norm", x));
    }

    return {
      /* Keys and values of the source, made once, and of the words written: none yet. By layer. */
      start(source) {
        const states = encode(source);
        const kept = numbers.map(function (i) {
          const name = `decoder.layers.${i}.source_attention`;
          return {
            keys: states.map((x) => map(`${name}.key`, x)), values: states.map((x) => map(`${name}.value`, x)),
          };
        });
        return { source: kept, written: numbers.map(() => ({ keys: [], values: [] })) };
      },
      step(state, token) {
        let x = embedded("target", token, state.written[0].keys.length);
        let weights = null;
        const written = numbers.map(function (i) {
          const layer = `decoder.layers.${i}`;
          const normed = norm(`${layer}.self_residual.norm`, x);
          const keys = [...state.written[i].keys, map(`${layer}.self_attention.key`, normed)];
          const values = [...state.written[i].values, map(`${layer}.self_attention.value`, normed)];
          x = add(x, look(`${layer}.self_attention`, normed, keys, values).out);
          const asking = norm(`${layer}.source_residual.norm`, x);
          const seen = look(`${layer}.source_attention`, asking, state.source[i].keys, state.source[i].values);
          x = think(layer, add(x, seen.out));
          weights = mix(seen.weights.map(() => 1 / heads), seen.weights);  // of the last layer in the end
          return { keys, values };
        });
        // The output layer is the embedding once more ("tied").
        const embedding = get("target_embedding.embedding.weight");
        const logits = linear(norm("decoder.norm", x), embedding, get("output.bias"));
        return { logits, weights, state: { ...state, written } };
      },
    };
  }

  function translate(model, source, target, sentence) {
    let state = model.start(source.ids(sentence));
    let token = BOS;
    const words = [];
    const weights = [];
    for (let left = 2 * sentence.length + 10; left > 0; left--) {
      const made = model.step(state, token);
      made.logits[PAD] = made.logits[BOS] = -Infinity;  // never written
      token = argmax(made.logits);
      if (token === EOS) return { words, weights, ended: true };
      words.push(target.words[token]);
      weights.push(made.weights);
      state = made.state;
    }
    return { words, weights, ended: false };
  }

  return function (file) {
    const source = vocabulary(file.source);
    const target = vocabulary(file.target);
    const finished = (model) => ({ ...model, translate: (sentence) => translate(model, source, target, sentence) });
    return {
      fixed: finished(fixedVector(file)), attention: finished(withAttention(file)),
      transformer: finished(transformer(file)), source, target,
    };
  };
})();
