// Pictures that can be read: the value under the pointer, zoom, pan, and all of it by keys.
"use strict";

(() => {
  const MOST = 40; // how many times larger a picture may become
  const NEAR = 6; // how many pixels from a point it is told, and not the map below it
  const HINT = "arrow keys read values, plus and minus zoom, zero resets";

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const shown = (value) => (value === null ? "–" : String(Number(value.toPrecision(5))));

  const made = (parent, tag, attributes = {}, text = "") => {
    const own = document.createElementNS(parent.namespaceURI, tag);
    for (const [name, value] of Object.entries(attributes)) own.setAttribute(name, value);
    own.textContent = text;
    return parent.appendChild(own);
  };

  const button = (parent, sign, name) =>
    made(parent, "button", { type: "button", "aria-label": name, title: name }, sign);

  // What can be read in a panel: things with a place in its SVG, a text, and what lights up.

  const place = (axis, value) => axis.a + axis.b * (axis.log ? Math.log10(value) : value);
  const value = (axis, at) => {
    const found = (at - axis.a) / axis.b;
    return axis.log ? 10 ** found : found;
  };

  const bandsAt = ({ x, y, series }, group, at) =>
    series
      .filter((one) => one.kind === "band" && one.group === group)
      .flatMap((one) => {
        const k = one.x.findIndex((own) => Math.abs(own - at) <= 1e-9 + 1e-4 * Math.abs(at));
        return k < 0 ? [] : [`${one.name}: ${shown(one.low[k])} to ${shown(one.high[k])}`];
      });

  const pointsOf = (data) => {
    const found = [];
    data.series.forEach((one, row) => {
      if (one.kind !== "line" && one.kind !== "points") return;
      const title = one.group ? `${one.group}, ${one.name}` : one.name;
      one.x.forEach((x, k) => {
        const text = () =>
          [title, `${data.x.name || "x"} ${shown(x)}`,
            `${data.y.name || "y"} ${data.y.names?.[one.y[k]] ?? shown(one.y[k])}`,
            ...bandsAt(data, one.group, x)].join("\n");
        found.push({ row, x: place(data.x, x), y: place(data.y, one.y[k]), text, lit: [] });
      });
    });
    return found;
  };

  const cellAt = (data, x, y) => {
    const nearest = (axis, values, at) => {
      const gap = Math.abs(values[1] - values[0]) * 0.51;
      const far = values.map((own) => Math.abs(own - at));
      const k = far.indexOf(Math.min(...far));
      return far[k] <= gap ? k : -1;
    };
    for (const one of data.series.filter((own) => own.kind === "map")) {
      const i = nearest(data.x, one.x, value(data.x, x));
      const j = nearest(data.y, one.y, value(data.y, y));
      if (i < 0 || j < 0) continue;
      const text = () =>
        [`${data.x.name} ${shown(one.x[i])}`, `${data.y.name} ${shown(one.y[j])}`,
          `${one.name} ${shown(one.z[j][i])}`].join("\n");
      return { x: place(data.x, one.x[i]), y: place(data.y, one.y[j]), text, lit: [] };
    }
    return null;
  };

  const partsOf = (svg) => {
    const links = [...svg.querySelectorAll(".sbd-link[data-to]")];
    const of = (part, row, lit) => {
      const title = part.querySelector("title");
      const words = title.textContent.split("; ").join("\n");
      title.remove(); // what it says is told beside the pointer
      const { x, y, width, height } = part.getBBox();
      const middle = row ? height / 2 : 0;
      const at = { x: x + width / 2, y: y + middle, high: height - middle };
      return { ...at, row, part, text: () => words, lit: [part, ...lit] };
    };
    const boxes = [...svg.querySelectorAll("[data-neuron]")];
    const named = (names) => boxes.filter((box) => names.has(box.dataset.neuron));
    const neurons = boxes.map((box) => {
      const name = box.dataset.neuron;
      const own = links.filter(({ dataset }) => [dataset.from, dataset.to].includes(name));
      const ends = new Set(own.flatMap(({ dataset }) => [dataset.from, dataset.to]));
      return of(box, 0, [...own, ...named(ends)]);
    });
    return neurons.concat(links.map((link) => {
      const line = link.querySelector(".sbd-line");
      made(link, "path", { class: "hit", d: line.getAttribute("d") });
      return of(link, 1, named(new Set([link.dataset.from, link.dataset.to])));
    }));
  };

  const live = (panel) => {
    const svg = panel.querySelector("svg");
    const numbers = panel.querySelector("script");
    const data = numbers ? JSON.parse(numbers.textContent) : {};
    const isMachine = panel.classList.contains("machine");
    const things = isMachine ? partsOf(svg) : data.series ? pointsOf(data) : [];
    const { x, y, width, height } = svg.viewBox.baseVal;
    const home = [x, y, width, height];
    let view = [...home];
    let current = null;

    const tools = made(panel, "div", { class: "tools" });
    const tip = made(panel, "div", { class: "tip", role: "status" });
    const ring = made(svg, "circle", { class: "ring", r: 0 });
    panel.classList.add("live");
    panel.tabIndex = 0;
    panel.setAttribute("role", "group");
    panel.setAttribute("aria-label", `${svg.getAttribute("aria-label")}; ${HINT}`);

    const toSvg = (event) =>
      new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const pixel = () => view[2] / svg.clientWidth; // how long a pixel is in the SVG

    const tell = (thing) => {
      if (current) current.lit.forEach((one) => one.classList.remove("lit"));
      current = thing;
      tip.textContent = thing ? thing.text() : "";
      panel.classList.toggle("dimmed", isMachine && Boolean(thing));
      ring.setAttribute("r", thing && !isMachine ? 6 * pixel() : 0);
      if (!thing) return;
      thing.lit.forEach((one) => one.classList.add("lit"));
      ring.setAttribute("cx", thing.x);
      ring.setAttribute("cy", thing.y);
      const at = new DOMPoint(thing.x, thing.y).matrixTransform((thing.part ?? svg).getScreenCTM());
      const box = panel.getBoundingClientRect();
      const left = at.x - box.left;
      const top = at.y - box.top;
      tip.style.left = `${clamp(left + 12, 0, Math.max(0, box.width - tip.offsetWidth))}px`;
      const above = top - tip.offsetHeight - 12;
      const below = top + 14 + (thing.high ?? 0) / pixel();
      const lowest = Math.max(0, box.height - tip.offsetHeight);
      tip.style.top = `${above > -8 ? above : Math.min(below, lowest)}px`;
    };

    const nearest = (event) => {
      if (isMachine) {
        const part = event.target.closest(".sbd-link[data-to], [data-neuron]");
        return things.find((one) => one.part === part) ?? null;
      }
      const at = toSvg(event);
      let best = null;
      let least = Infinity;
      for (const one of things) {
        const far = Math.hypot(one.x - at.x, one.y - at.y);
        if (far < least) [best, least] = [one, far];
      }
      const cell = data.series && least > NEAR * pixel() ? cellAt(data, at.x, at.y) : null;
      return cell ?? best;
    };

    const look = (next) => {
      const size = clamp(next[2], home[2] / MOST, home[2]);
      const share = size / home[2];
      view = [0, 1].map((k) => clamp(next[k], home[k], home[k] + home[k + 2] * (1 - share)));
      view.push(size, home[3] * share);
      svg.setAttribute("viewBox", view.join(" "));
      panel.classList.toggle("zoomed", share < 0.999);
      tell(current);
    };
    const reset = () => look(home);
    const zoom = (factor, x = view[0] + view[2] / 2, y = view[1] + view[3] / 2) => {
      const size = clamp(view[2] / factor, home[2] / MOST, home[2]);
      const share = size / view[2];
      look([x + (view[0] - x) * share, y + (view[1] - y) * share, size]);
    };
    const pan = (dx, dy) => look([view[0] - dx, view[1] - dy, view[2]]);

    // The pointer: it reads; dragged, it pans; two fingers zoom.

    const fingers = new Map();
    let moved = false; // a wheel that scrolls the page past a picture does not zoom it
    const apart = () => {
      const [a, b] = [...fingers.values()];
      const far = Math.hypot(a.x - b.x, a.y - b.y);
      return { far, clientX: (a.x + b.x) / 2, clientY: (a.y + b.y) / 2 };
    };
    svg.addEventListener("pointerdown", (event) => {
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (fingers.size === 1) tell(nearest(event));
      const drags = fingers.size === 2 || panel.classList.contains("zoomed");
      if (drags) svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointermove", (event) => {
      moved ||= event.movementX !== 0 || event.movementY !== 0;
      const finger = fingers.get(event.pointerId);
      if (!finger) return void tell(nearest(event));
      const before = fingers.size === 2 ? apart() : null;
      const [dx, dy] = [event.clientX - finger.x, event.clientY - finger.y];
      Object.assign(finger, { x: event.clientX, y: event.clientY });
      if (before) {
        const now = apart();
        const at = toSvg(now);
        zoom(now.far / Math.max(before.far, 1), at.x, at.y);
        pan((now.clientX - before.clientX) * pixel(), (now.clientY - before.clientY) * pixel());
      } else {
        pan(dx * pixel(), dy * pixel());
      }
    });
    for (const end of ["pointerup", "pointercancel"]) {
      svg.addEventListener(end, (event) => fingers.delete(event.pointerId));
    }
    svg.addEventListener("pointerleave", (event) => {
      fingers.delete(event.pointerId);
      moved = false;
      if (event.pointerType === "mouse") tell(null);
    });
    window.addEventListener("scroll", () => { moved = false; }, { passive: true });
    svg.addEventListener("wheel", (event) => {
      const out = event.deltaY > 0;
      if (!(moved || event.ctrlKey) || (out && !panel.classList.contains("zoomed"))) return;
      event.preventDefault();
      const at = toSvg(event);
      zoom(Math.exp(-clamp(event.deltaY, -120, 120) / 400), at.x, at.y);
    }, { passive: false });
    svg.addEventListener("dblclick", reset);

    // Keys, and buttons for the same.

    const step = (by, rows) => {
      if (!things.length) return;
      const at = current && things.indexOf(current);
      const row = current?.row ?? things[0].row;
      const all = [...new Set(things.map((one) => one.row))];
      const to = all[(all.indexOf(row) + rows + all.length) % all.length];
      const own = things.filter((one) => one.row === to);
      const k = at === null || rows ? 0 : own.indexOf(current) + by;
      tell(own[(k + own.length) % own.length]);
    };
    const keys = {
      "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: reset,
      Escape: () => tell(null),
      ArrowRight: () => step(1, 0), ArrowLeft: () => step(-1, 0),
      ArrowDown: () => step(0, 1), ArrowUp: () => step(0, -1),
    };
    const pans = { ArrowRight: [-1, 0], ArrowLeft: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
    panel.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target !== panel) return;
      const way = event.shiftKey && pans[event.key];
      if (!way && !keys[event.key]) return;
      event.preventDefault();
      if (way) pan((way[0] * view[2]) / 10, (way[1] * view[3]) / 10);
      else keys[event.key]();
    });
    const buttons = [
      ["+", "zoom in", keys["+"]], ["−", "zoom out", keys["-"]], ["↺", "reset the zoom", reset],
    ];
    for (const [sign, name, act] of buttons) {
      button(tools, sign, name).addEventListener("click", act);
    }
  };

  const root = document.documentElement;
  const theme = button(document.querySelector("header"), "◐", "light or dark");
  theme.classList.add("theme");
  theme.addEventListener("click", () => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    root.dataset.theme = (root.dataset.theme ?? dark) === "dark" ? "light" : "dark";
  });
  document.querySelectorAll(".panel").forEach(live);
})();
