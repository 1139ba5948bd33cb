"use strict";
// Zooming and moving: what part of the drawing is seen is its viewBox. Without this script the drawing scrolls.
(() => {
  const svg = document.getElementById("graph");
  const frame = document.getElementById("drawing");
  const whole = svg.viewBox.baseVal;
  const all = { x: whole.x, y: whole.y, width: whole.width, height: whole.height };
  let seen = { ...all };
  frame.classList.add("zooming");
  frame.style.height = `${Math.min(innerHeight * 0.7, Math.max(260, all.height * frame.clientWidth / all.width))}px`;

  const show = () => svg.setAttribute("viewBox", `${seen.x} ${seen.y} ${seen.width} ${seen.height}`);
  const zoom = (factor, x = seen.x + seen.width / 2, y = seen.y + seen.height / 2) => {
    const width = Math.max(60, Math.min(all.width * 4, seen.width * factor));
    const by = width / seen.width;
    seen = { x: x - (x - seen.x) * by, y: y - (y - seen.y) * by, width, height: seen.height * by };
    show();
  };
  const move = (x, y) => { seen.x += x * seen.width; seen.y += y * seen.height; show(); };
  const fit = () => { seen = { ...all }; show(); };
  const SMALLEST = 0.65;  // at which labels are read without effort: a phone begins at a part of a wide drawing
  if (frame.clientWidth < all.width * SMALLEST) {
    seen.width = frame.clientWidth / SMALLEST;
    seen.height = frame.clientHeight / SMALLEST;
    seen.y = Math.max(0, (all.height - seen.height) / 2);
    show();
  }
  const place = (event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());

  document.getElementById("zoom-in").addEventListener("click", () => zoom(0.8));
  document.getElementById("zoom-out").addEventListener("click", () => zoom(1.25));
  document.getElementById("zoom-fit").addEventListener("click", fit);
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { x, y } = place(event);
    zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 300))), x, y);
  }, { passive: false });
  const keys = {
    "+": () => zoom(0.8), "=": () => zoom(0.8), "-": () => zoom(1.25), "0": fit,
    ArrowLeft: () => move(-0.1, 0), ArrowRight: () => move(0.1, 0), ArrowUp: () => move(0, -0.1), ArrowDown: () => move(0, 0.1),
  };
  frame.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });

  // One finger or the mouse moves, two fingers zoom.
  const held = new Map();
  let moved = false;
  let captured = null;
  svg.addEventListener("pointerdown", (event) => { held.set(event.pointerId, event); moved = false; });
  svg.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (!before) return;
    const others = [...held.values()].filter((other) => other.pointerId !== event.pointerId);
    if (!moved && Math.hypot(event.clientX - before.clientX, event.clientY - before.clientY) < 4) return;
    if (!moved) { moved = true; svg.setPointerCapture(event.pointerId); captured = event.pointerId; }
    if (others.length) {
      const far = (one) => Math.hypot(one.clientX - others[0].clientX, one.clientY - others[0].clientY) || 1;
      const { x, y } = place(others[0]);
      zoom(far(before) / far(event), x, y);
    } else {
      const from = place(before), to = place(event);
      seen.x += from.x - to.x;
      seen.y += from.y - to.y;
      show();
    }
    held.set(event.pointerId, event);
  });
  const release = (event) => {
    held.delete(event.pointerId);
    if (captured === event.pointerId) captured = null;
  };
  svg.addEventListener("pointerup", release);
  svg.addEventListener("pointercancel", release);
  svg.addEventListener("click", (event) => { if (moved) event.preventDefault(); }, true);
  svg.addEventListener("dragstart", (event) => event.preventDefault());

  // What belongs to a box stands out while one is at it; a box that gets the focus comes into view.
  const arrows = [...svg.querySelectorAll(".arrow")];
  const mark = (id, on) => arrows.filter((arrow) => arrow.dataset.from === id || arrow.dataset.to === id)
    .forEach((arrow) => arrow.classList.toggle("touched", on));
  for (const node of svg.querySelectorAll(".node")) {
    node.addEventListener("mouseenter", () => mark(node.id, true));
    node.addEventListener("mouseleave", () => mark(node.id, false));
    node.addEventListener("blur", () => mark(node.id, false));
    node.addEventListener("focus", () => {
      mark(node.id, true);
      const box = node.getBBox();
      if (box.x < seen.x || box.x + box.width > seen.x + seen.width) seen.x = box.x + box.width / 2 - seen.width / 2;
      if (box.y < seen.y || box.y + box.height > seen.y + seen.height) seen.y = box.y + box.height / 2 - seen.height / 2;
      show();
    });
  }
})();
