// The playground on a page: draws, listens, and tells the page its whole state.

const LANDSCAPES = {
  "one-weight": "Sharp and flat, one weight",
  "two-weights": "Sharp and flat, two weights",
  valley: "Valley (uv − 1)²/2",
  logistic: "Valley, one user and one item",
  drawn: "Draw your own",
};
const STEPPERS = {
  plain: "Gradient descent",
  mirror: "Mirror Gradient",
  sam: "SAM",
  "gradient-norm": "Gradient norm",
};
const SLIDERS = {
  rate: ["Learning rate", 0.005, 1, 0.005],
  alpha1: ["alpha1 (MG: descent)", 0.1, 2, 0.05],
  alpha2: ["alpha2 (MG: ascent)", 0, 1.95, 0.05],
  beta: ["beta (MG: every so many)", 1, 10, 1],
  rho: ["rho (SAM)", 0.01, 1, 0.01],
  weight: ["lambda (gradient norm)", 0, 1, 0.01],
  noise: ["Noise of the gradient", 0, 2, 0.05],
  shift: ["Shift of the test landscape", -1, 1, 0.02],
};
const MARKS = { plain: "circle", mirror: "diamond", sam: "square", "gradient-norm": "triangle" };
const SPAN = 3;
const TRAIL = 4000;

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".play");
  if (!root) return;
  if (root.basin) {
    root.basin.receive(data);
    return root.basin.cleanup;
  }
  const settings = structuredClone(data.state);
  const canvas = root.querySelector("canvas"), pen = canvas.getContext("2d");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const picture = document.createElement("canvas");
  let landscape, runners = [], draws, playing = false, frame = 0, last = 0, due = 0, chosen = 0;
  let dragged = null, sent = JSON.stringify(data.state), timer = 0;

  const bowls = () => (settings.landscape === "drawn" ? settings.bowls : BOWLS[settings.landscape]) || [];
  const isValley = () => settings.landscape === "valley" || settings.landscape === "logistic";
  // With one weight the Hessian is one number, which may be negative.
  const curvature = (w) => {
    const hessian = landscape.hessian(w);
    return landscape.dimensions === 1 ? hessian[0] : topEigenvalue(hessian);
  };
  const isOne = () => settings.landscape === "one-weight";

  // ---- state

  function rebuild() {
    landscape = landscapeOf(settings.landscape, bowls());
    runners = [];
    paint();
    restart();
  }

  function restart() {
    draws = normalDraws(settings.seed);
    runners = settings.steppers.map((kind) => {
      const runner = stepperOf(kind, landscape, settings, isOne() ? [settings.start[0], 0] : settings.start);
      runner.trail = [[...runner.w]];
      return runner;
    });
    show();
  }

  function advance(steps) {
    for (let i = 0; i < steps; i++) {
      const noise = draws().map((z) => settings.noise * z);
      for (const runner of runners) {
        if (!runner.w.every((value) => Math.abs(value) < 1e6)) continue;
        runner.step(noise);
        runner.trail.push([...runner.w]);
        if (runner.trail.length > TRAIL) runner.trail.shift();
      }
    }
    show();
  }

  function tell() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const text = JSON.stringify(settings);
      if (text !== sent) setStateValue("settings", JSON.parse((sent = text)));
    }, 400);
  }

  function change(name, value) {
    settings[name] = value;
    if (name === "alpha1" || name === "alpha2") {
      if (settings.alpha2 >= settings.alpha1) settings.alpha2 = Math.max(0, +(settings.alpha1 - 0.05).toFixed(2));
    }
    if (name === "landscape") settings.start = [...data.starts[value]];
    if (name === "shift" || name === "speed") {
      paint();
      show();
    } else if (name === "landscape" || name === "bowls") rebuild();
    else restart();
    controls();
    tell();
  }

  function play(on) {
    playing = on;
    const button = root.querySelector('[data-do="play"]');
    button.textContent = on ? "Pause" : "Play";
    button.setAttribute("aria-pressed", String(on));
    last = performance.now();
    due = 0;
    cancelAnimationFrame(frame);
    if (on) frame = requestAnimationFrame(tick);
    else say();
  }

  function tick(now) {
    if (!playing || !root.isConnected) return;
    due += ((now - last) / 1000) * settings.speed;
    last = now;
    // Without motion: jumps of a second's steps.
    const steps = still.matches && due < settings.speed ? 0 : Math.floor(Math.min(due, 240));
    if (steps > 0) {
      due -= steps;
      advance(steps);
    }
    frame = requestAnimationFrame(tick);
  }

  // ---- drawing

  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  function ofPixel(x, y) {
    return [(x / canvas.width - 0.5) * 2 * SPAN, (0.5 - y / canvas.height) * 2 * SPAN * (canvas.height / canvas.width)];
  }

  function toPixel(w) {
    if (isOne()) {
      const loss = Math.min(landscape.loss([w[0], 0]), 2);
      return [(w[0] / (2 * SPAN) + 0.5) * canvas.width, heightOf(loss)];
    }
    return [(w[0] / (2 * SPAN) + 0.5) * canvas.width, (0.5 - (w[1] * canvas.width) / (2 * SPAN * canvas.height)) * canvas.height];
  }

  const heightOf = (loss) => canvas.height * (0.92 - 0.8 * loss);

  /** The landscape, drawn once for all frames. */
  function paint() {
    picture.width = canvas.width;
    picture.height = canvas.height;
    const p = picture.getContext("2d");
    p.fillStyle = colour("--st-background-color") || "#fff";
    p.fillRect(0, 0, picture.width, picture.height);
    if (isOne()) {
      const curve = (shift, style, dash) => {
        p.beginPath();
        for (let x = 0; x <= picture.width; x += 2) {
          const w = [(x / picture.width - 0.5) * 2 * SPAN - shift, 0];
          p.lineTo(x, heightOf(landscape.loss(w)));
        }
        p.setLineDash(dash);
        p.strokeStyle = style;
        p.lineWidth = 2.5;
        p.stroke();
        p.setLineDash([]);
      };
      curve(0, colour("--st-text-color") || "#111", []);
      if (settings.shift) curve(settings.shift, data.colours.test, [7, 6]);
      return;
    }
    const cells = 4, wide = Math.ceil(picture.width / cells), high = Math.ceil(picture.height / cells);
    const small = document.createElement("canvas");
    small.width = wide;
    small.height = high;
    const s = small.getContext("2d"), image = s.createImageData(wide, high), losses = [];
    for (let j = 0; j < high; j++) {
      for (let i = 0; i < wide; i++) losses.push(landscape.loss(ofPixel((i + 0.5) * cells, (j + 0.5) * cells)));
    }
    let low = Infinity;
    for (const value of losses) low = Math.min(low, value);
    losses.forEach((value, k) => {
      // Equal steps of the square root of the rise: narrow bands near a minimum, as contours have.
      const band = Math.min(Math.floor(Math.sqrt(Math.max(value - low, 0) / 1.2) * 14), data.ramp.length - 1);
      image.data.set([...data.ramp[band], 255], 4 * k);
    });
    s.putImageData(image, 0, 0);
    p.imageSmoothingEnabled = true;
    p.drawImage(small, 0, 0, wide * cells, high * cells);
    if (settings.shift) {
      for (const w of minima()) {
        const [x, y] = toPixel(w), [u, v] = toPixel([w[0] + settings.shift, w[1]]);
        arrow(p, [x, y], [u, v], "#ffffff", 2, [6, 5]);
      }
    }
    bowls().forEach((bowl, k) => {
      if (settings.landscape !== "drawn") return;
      const [x, y] = toPixel([bowl.x, bowl.y]);
      p.beginPath();
      p.arc(x, y, (bowl.width / (2 * SPAN)) * canvas.width, 0, 2 * Math.PI);
      p.strokeStyle = "#ffffff";
      p.lineWidth = k === chosen ? 3 : 1;
      p.stroke();
    });
  }

  function arrow(p, from, to, style, width = 2, dash = []) {
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
    if (length < 1.5) return;
    const angle = Math.atan2(to[1] - from[1], to[0] - from[0]), head = Math.min(9, length / 2);
    p.beginPath();
    p.moveTo(...from);
    p.lineTo(...to);
    p.setLineDash(dash);
    p.strokeStyle = style;
    p.lineWidth = width;
    p.stroke();
    p.setLineDash([]);
    p.beginPath();
    p.moveTo(...to);
    for (const turn of [2.6, -2.6]) p.lineTo(to[0] + head * Math.cos(angle + turn), to[1] + head * Math.sin(angle + turn));
    p.fillStyle = style;
    p.fill();
  }

  function mark(p, [x, y], shape, fill, size = 7) {
    p.beginPath();
    if (shape === "circle") p.arc(x, y, size, 0, 2 * Math.PI);
    else if (shape === "square") p.rect(x - size + 1, y - size + 1, 2 * size - 2, 2 * size - 2);
    else if (shape === "diamond") [[0, -1.2], [1.2, 0], [0, 1.2], [-1.2, 0]].forEach(([a, b]) => p.lineTo(x + a * size, y + b * size));
    else [[0, -1.2], [1.1, 0.9], [-1.1, 0.9]].forEach(([a, b]) => p.lineTo(x + a * size, y + b * size));
    p.closePath();
    p.fillStyle = fill;
    p.fill();
    p.strokeStyle = "#ffffff";
    p.lineWidth = 1.5;
    p.stroke();
  }

  function show() {
    pen.drawImage(picture, 0, 0);
    const start = toPixel(settings.start);
    for (const runner of runners) {
      const style = data.colours[runner.kind];
      pen.beginPath();
      for (const w of runner.trail) pen.lineTo(...toPixel(w));
      pen.strokeStyle = "#ffffff";
      pen.lineWidth = 4;
      pen.stroke();
      pen.strokeStyle = style;
      pen.lineWidth = 2.2;
      pen.stroke();
    }
    for (const runner of runners) {
      for (const leg of runner.legs || []) {
        const dash = leg.name === "descent" ? [] : [4, 3];
        arrow(pen, toPixel(leg.from), toPixel(leg.to), data.colours[runner.kind], 2.5, dash);
      }
    }
    pen.beginPath();
    pen.arc(...start, 10, 0, 2 * Math.PI);
    pen.strokeStyle = isOne() ? colour("--st-text-color") : "#ffffff";
    pen.lineWidth = 2.5;
    pen.stroke();
    for (const runner of runners) mark(pen, toPixel(runner.w), MARKS[runner.kind], data.colours[runner.kind]);
    numbers();
  }

  const text = (value, digits = 4) => (value === null ? "–" : Number.isFinite(value) && Math.abs(value) < 1e5 ? value.toFixed(digits) : "diverged");

  function values(runner) {
    const w = runner.w;
    return [
      text(landscape.loss(w)), text(norm(landscape.gradient(w))), text(curvature(w), 3),
      isValley() ? text(w[0] ** 2 - w[1] ** 2, 3) : "", text(runner.cosine, 2),
    ];
  }

  function numbers() {
    root.querySelector(".count").textContent = String(runners[0] ? runners[0].steps : 0);
    root.querySelectorAll(".imbalance").forEach((cell) => { cell.hidden = !isValley(); });
    const body = root.querySelector("tbody");
    while (body.children.length > runners.length) body.lastChild.remove();
    runners.forEach((runner, k) => {
      let row = body.children[k];
      if (!row) {
        row = body.appendChild(document.createElement("tr"));
        row.appendChild(document.createElement("th")).scope = "row";
        for (let c = 0; c < 5; c++) row.appendChild(document.createElement("td"));
      }
      row.children[0].textContent = STEPPERS[runner.kind];
      values(runner).forEach((value, c) => { row.children[c + 1].textContent = value; });
      row.children[4].hidden = !isValley();
    });
    rise();
  }

  /** The minima whose rise under a shift is compared. */
  function minima() {
    if (isValley()) return runners.map((runner) => runner.w);
    return bowls().map((bowl) => minimumNear(landscape, [bowl.x, isOne() ? 0 : bowl.y]));
  }

  function rise() {
    const box = root.querySelector(".rise"), bars = box.querySelector(".bars");
    box.hidden = settings.shift === 0;
    if (box.hidden) return;
    const rows = minima().map((w, k) => ({
      name: isValley()
        ? STEPPERS[runners[k].kind]
        : `${["sharp", "flat"][k] && settings.landscape !== "drawn" ? ["Sharp", "Flat"][k] : `Bowl ${k + 1}`}, eigenvalue ${curvature(w).toFixed(1)}`,
      rise: landscape.loss([w[0] - settings.shift, w[1]]) - landscape.loss(w),
    }));
    const top = Math.max(...rows.map((row) => row.rise), 0.05);
    bars.replaceChildren(
      ...rows.map((row) => {
        const line = document.createElement("div");
        line.className = "bar";
        const name = document.createElement("span"), track = document.createElement("div"), number = document.createElement("span");
        name.textContent = row.name;
        track.style.width = `${(100 * Math.max(row.rise, 0)) / top}%`;
        number.textContent = `+${row.rise.toFixed(3)}`;
        line.append(name, track, number);
        return line;
      }),
    );
  }

  function say() {
    const said = runners.map((runner) => `${STEPPERS[runner.kind]}: loss ${text(landscape.loss(runner.w))}, top eigenvalue ${text(curvature(runner.w), 2)}`);
    const sentence = `After ${runners[0] ? runners[0].steps : 0} steps. ${said.join("; ")}.`;
    root.querySelector(".said").textContent = sentence;
    canvas.setAttribute("aria-label", `${LANDSCAPES[settings.landscape]}. ${sentence}`);
  }

  // ---- controls

  function choice(box, name, label, type, colour) {
    const input = document.createElement("input"), line = document.createElement("label");
    input.type = type;
    input.value = name;
    input.name = box.dataset.choose || box.dataset.many;
    line.append(input);
    if (colour) {
      const dot = document.createElement("i");
      dot.style.background = colour;
      line.append(dot);
    }
    line.append(label);
    box.append(line);
  }

  for (const [name, label] of Object.entries(LANDSCAPES)) choice(root.querySelector('[data-choose="landscape"]'), name, label, "radio");
  for (const [name, label] of Object.entries(STEPPERS)) choice(root.querySelector('[data-many="steppers"]'), name, label, "checkbox", data.colours[name]);
  for (const [name, label] of [["sgd", "SGD"], ["adam", "Adam"]]) choice(root.querySelector('[data-choose="optimiser"]'), name, label, "radio");
  for (const [name, [label, low, high, step]] of Object.entries(SLIDERS)) {
    const line = document.createElement("label"), input = document.createElement("input"), output = document.createElement("output");
    Object.assign(input, { type: "range", min: low, max: high, step });
    input.dataset.set = name;
    input.setAttribute("aria-label", label);
    line.append(label, output, input);
    root.querySelector(".sliders").append(line);
  }

  function controls() {
    root.classList.toggle("lesson", data.controls !== null);
    const inSight = (name) => !data.controls || data.controls.includes(name);
    for (const box of root.querySelectorAll("[data-choose], [data-many]")) box.hidden = !inSight(box.dataset.choose || box.dataset.many);
    for (const input of root.querySelectorAll(".sliders [data-set]")) input.parentElement.hidden = !inSight(input.dataset.set);
    for (const input of root.querySelectorAll("[data-set]")) {
      input.value = settings[input.dataset.set];
      input.parentElement.querySelector("output").textContent = settings[input.dataset.set];
    }
    for (const input of root.querySelectorAll('[type="radio"]')) input.checked = settings[input.name] === input.value;
    for (const input of root.querySelectorAll('[type="checkbox"]')) input.checked = settings.steppers.includes(input.value);
    root.querySelector(".bowls").hidden = settings.landscape !== "drawn";
  }

  root.addEventListener("input", (event) => {
    const input = event.target;
    if (input.dataset.set) change(input.dataset.set, Number(input.value));
    else if (input.type === "radio") change(input.name, input.value);
    else if (input.type === "checkbox") change("steppers", Object.keys(STEPPERS).filter((k) => (k === input.value ? input.checked : settings.steppers.includes(k))));
  });

  const actions = {
    play: () => play(!playing),
    step: () => { play(false); advance(1); say(); },
    reset: () => { play(false); restart(); say(); },
    add: () => { chosen = settings.bowls.length; change("bowls", [...settings.bowls, { x: 0, y: 0, width: 0.5, depth: 0.6 }].slice(0, 8)); },
    remove: () => change("bowls", settings.bowls.filter((_, k) => k !== chosen)),
  };
  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (button) actions[button.dataset.do]();
  });

  const clamp = (value, limit) => Math.round(Math.min(limit, Math.max(-limit, value)) * 100) / 100;

  function moveStart(w) {
    change("start", [clamp(w[0], SPAN), isOne() ? 0 : clamp(w[1], 2.25)]);
  }

  const here = (event) => {
    const box = canvas.getBoundingClientRect();
    return ofPixel(((event.clientX - box.left) / box.width) * canvas.width, ((event.clientY - box.top) / box.height) * canvas.height);
  };
  const near = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
  canvas.addEventListener("pointerdown", (event) => {
    const at = here(event);
    canvas.setPointerCapture(event.pointerId);
    dragged = "start";
    if (settings.landscape === "drawn" && near(at, settings.start) > 0.25) {
      const bowl = settings.bowls.findIndex((b) => near(at, [b.x, b.y]) < b.width);
      if (bowl >= 0) {
        chosen = bowl;
        dragged = "bowl";
        return paint(), show();
      }
    }
    moveStart(at);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (dragged === "start") moveStart(here(event));
    if (dragged === "bowl") {
      const [x, y] = here(event).map((value) => clamp(value, SPAN));
      change("bowls", settings.bowls.map((bowl, k) => (k === chosen ? { ...bowl, x, y } : bowl)));
    }
  });
  canvas.addEventListener("pointerup", () => { dragged = null; });
  canvas.addEventListener("pointercancel", () => { dragged = null; });
  canvas.addEventListener("wheel", (event) => {
    if (settings.landscape !== "drawn" || !settings.bowls[chosen]) return;
    event.preventDefault();
    const width = Math.min(2, Math.max(0.15, settings.bowls[chosen].width * (event.deltaY < 0 ? 1.08 : 0.92)));
    change("bowls", settings.bowls.map((bowl, k) => (k === chosen ? { ...bowl, width: Math.round(width * 100) / 100 } : bowl)));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 0.5 : 0.1, [x, y] = settings.start;
    const keys = {
      ArrowLeft: () => moveStart([x - step, y]), ArrowRight: () => moveStart([x + step, y]),
      ArrowUp: () => moveStart([x, y + step]), ArrowDown: () => moveStart([x, y - step]),
      " ": actions.play, s: actions.step, r: actions.reset,
    };
    const act = keys[event.key] || keys[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });

  const theme = new MutationObserver(() => { paint(); show(); });
  theme.observe(document.documentElement, { attributes: true, attributeFilter: ["style", "class"] });
  controls();
  rebuild();
  say();
  root.basin = {
    settings,
    runners: () => runners,
    receive: (next) => {
      const text = JSON.stringify(next.state);
      const same = next.lesson === data.lesson;
      data = next;
      if (same || text === sent) return controls();
      Object.assign(settings, structuredClone(next.state));
      sent = text;
      play(false);
      controls();
      rebuild();
    },
    cleanup: () => {
      play(false);
      clearTimeout(timer);
      theme.disconnect();
    },
  };
  return root.basin.cleanup;
}
