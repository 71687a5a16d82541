// Landscapes and steppers of the playground, without a page: tests run this file in a browser and
// compare it with engine.training, step by step.

/** One loss over two weights (or one: the second is then ignored). Bowls are
 *  {x, y, width, depth}; `shift` moves the landscape along the first weight. */
function landscapeOf(name, bowls) {
  const valley = {
    square: (s) => ({ value: (s - 1) ** 2 / 2, first: s - 1, second: 1 }),
    logistic: (s) => {
      // Binary cross-entropy of one score s whose label is 1 in nine of ten observations.
      const p = 1 / (1 + Math.exp(-s));
      return { value: softplus(-s) + 0.1 * s, first: p - 0.9, second: p * (1 - p) };
    },
  }[name === "valley" ? "square" : name === "logistic" ? "logistic" : ""];
  if (valley) {
    return {
      dimensions: 2,
      loss: (w) => valley(w[0] * w[1]).value,
      gradient: (w) => {
        const { first } = valley(w[0] * w[1]);
        return [first * w[1], first * w[0]];
      },
      hessian: (w) => {
        const { first, second } = valley(w[0] * w[1]);
        return [second * w[1] ** 2, first + second * w[0] * w[1], second * w[0] ** 2];
      },
    };
  }
  const one = name === "one-weight";
  const parts = (w) =>
    bowls.map((bowl) => {
      const dx = w[0] - bowl.x, dy = one ? 0 : w[1] - bowl.y, s = bowl.width ** 2;
      return { dx, dy, s, e: bowl.depth * Math.exp(-(dx * dx + dy * dy) / (2 * s)) };
    });
  return {
    dimensions: one ? 1 : 2,
    // A weak pull to the middle, so that no start runs away.
    loss: (w) => 1 + PULL / 2 * (w[0] ** 2 + (one ? 0 : w[1] ** 2)) - sum(parts(w), (p) => p.e),
    gradient: (w) => {
      const all = parts(w);
      return [
        PULL * w[0] + sum(all, (p) => (p.e * p.dx) / p.s),
        one ? 0 : PULL * w[1] + sum(all, (p) => (p.e * p.dy) / p.s),
      ];
    },
    hessian: (w) => {
      const all = parts(w);
      return [
        PULL + sum(all, (p) => (p.e / p.s) * (1 - (p.dx * p.dx) / p.s)),
        one ? 0 : -sum(all, (p) => (p.e * p.dx * p.dy) / p.s ** 2),
        one ? 0 : PULL + sum(all, (p) => (p.e / p.s) * (1 - (p.dy * p.dy) / p.s)),
      ];
    },
  };
}

const PULL = 0.01;
const BOWLS = {
  "one-weight": [
    { x: -1.5, y: 0, width: 0.25, depth: 0.8 },
    { x: 1.5, y: 0, width: 1, depth: 0.8 },
  ],
  "two-weights": [
    { x: -1.5, y: -0.6, width: 0.3, depth: 0.8 },
    { x: 1.3, y: 0.6, width: 1, depth: 0.8 },
  ],
};

function sum(list, of) {
  let total = 0;
  for (const item of list) total += of(item);
  return total;
}

function softplus(x) {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

function norm(v) {
  return Math.hypot(...v);
}

/** The larger eigenvalue of a symmetric 2 x 2 matrix [a, b, c] = [[a, b], [b, c]]. */
function topEigenvalue([a, b, c]) {
  return (a + c) / 2 + Math.hypot((a - c) / 2, b);
}

/** Where gradient descent from a point ends: the nearest minimum, for the bars of a shift. */
function minimumNear(landscape, start) {
  let w = [...start];
  for (let i = 0; i < 2000; i++) {
    const g = landscape.gradient(w);
    const rate = 0.5 / Math.max(1, Math.abs(topEigenvalue(landscape.hessian(w))));
    w = [w[0] - rate * g[0], w[1] - rate * g[1]];
    if (norm(g) < 1e-10) break;
  }
  return w;
}

/** SGD or Adam (torch's defaults: betas .9 and .999, epsilon 1e-8), on weights in place. */
function optimiserOf(name, rate) {
  if (name === "sgd") {
    return { update: (w, g) => g.forEach((value, i) => { w[i] -= rate * value; }) };
  }
  const mean = [0, 0], square = [0, 0];
  let steps = 0;
  return {
    update: (w, g) => {
      steps += 1;
      g.forEach((value, i) => {
        mean[i] = 0.9 * mean[i] + 0.1 * value;
        square[i] = 0.999 * square[i] + 0.001 * value * value;
        const scale = Math.sqrt(square[i]) / Math.sqrt(1 - 0.999 ** steps) + 1e-8;
        w[i] -= (rate / (1 - 0.9 ** steps)) * (mean[i] / scale);
      });
    },
  };
}

/** A stepper at a start. `step(noise)` moves it on one batch, whose gradient everywhere is the
 *  landscape's plus `noise`, and returns the legs of that step for the drawing. */
function stepperOf(kind, landscape, settings, start) {
  const w = [...start];
  const optimiser = optimiserOf(settings.optimiser, settings.rate);
  let batches = 0;
  const state = { kind, w, cosine: null, steps: 0 };
  const gradient = (at, noise) => {
    const g = landscape.gradient(at);
    return landscape.dimensions === 1 ? [g[0] + noise[0], 0] : [g[0] + noise[0], g[1] + noise[1]];
  };
  const scaled = (g, by) => g.map((value) => value * by);
  const moves = {
    plain: (noise) => {
      optimiser.update(w, gradient(w, noise));
      return [];
    },
    mirror: (noise) => {
      const mirrors = batches % settings.beta === 0 && settings.alpha2 > 0;
      if (!mirrors) return moves.plain(noise);
      const from = [...w];
      optimiser.update(w, scaled(gradient(w, noise), settings.alpha1));
      const middle = [...w];
      const uphill = gradient(w, noise);
      optimiser.update(w, scaled(uphill, -settings.alpha2));
      const move = [w[0] - middle[0], w[1] - middle[1]];
      const lengths = norm(move) * norm(uphill);
      // At rest a direction means nothing.
      state.cosine = norm(uphill) > 1e-9 && lengths > 0 ? (move[0] * uphill[0] + move[1] * uphill[1]) / lengths : null;
      return [{ from, to: middle, name: "descent" }, { from: middle, to: [...w], name: "ascent" }];
    },
    // The gradient at distance `radius` uphill; `share` of it, the rest from here.
    neighbour: (noise, radius, share) => {
      const here = gradient(w, noise);
      const climb = scaled(here, radius / Math.max(norm(here), 1e-12));
      const top = [w[0] + climb[0], w[1] + climb[1]];
      const there = gradient(top, noise);
      const from = [...w];
      optimiser.update(w, there.map((value, i) => share * value + (1 - share) * here[i]));
      return [{ from, to: top, name: "climb" }];
    },
  };
  state.step = (noise = [0, 0]) => {
    state.legs = {
      plain: () => moves.plain(noise),
      mirror: () => moves.mirror(noise),
      sam: () => moves.neighbour(noise, settings.rho, 1),
      "gradient-norm": () => moves.neighbour(noise, RADIUS, settings.weight / RADIUS),
    }[kind]();
    batches += 1;
    state.steps += 1;
    return state.legs;
  };
  return state;
}

const RADIUS = 0.1;

/** Standard normal draws that are the same for every stepper and every visitor (mulberry32). */
function normalDraws(seed) {
  let a = seed >>> 0;
  const uniform = () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return () => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform())), angle = 2 * Math.PI * uniform();
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  };
}
