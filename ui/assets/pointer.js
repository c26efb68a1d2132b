// Clicks and drags on a picture become marks: [x, y] or [x0, y0, x1, y1] in 0..1.
const DRAG = 6; // pixels; less is a click
const SVG = "http://www.w3.org/2000/svg";
const find = (name) => element.querySelector(name);
let start = null; // where the mouse went down
let corner = null; // a box's first corner, set by a click or by the keyboard
let cross = [0.5, 0.5]; // the keyboard's place

function place(event) {
  const box = find(".picture").getBoundingClientRect();
  const inside = (n) => Math.min(Math.max(n, 0), 1);
  return [inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)];
}

function shape(kind, name, attributes) {
  const node = document.createElementNS(SVG, name);
  node.setAttribute("class", kind);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  find("svg").append(node);
  return node;
}

function box(kind, [x0, y0, x1, y1]) {
  const [left, top] = [Math.min(x0, x1), Math.min(y0, y1)];
  const percent = (n) => `${100 * n}%`;
  shape(kind, "rect", {
    x: percent(left), y: percent(top), width: percent(Math.abs(x1 - x0)), height: percent(Math.abs(y1 - y0)),
  });
  return [left, top];
}

function dot(kind, [x, y]) {
  shape(kind, "circle", { cx: `${100 * x}%`, cy: `${100 * y}%`, r: 7 });
  return [x, y];
}

function draw(live) {
  find("svg").replaceChildren();
  for (const { at, name } of props.value.marks || []) {
    const [x, y] = at.length === 2 ? dot("mark", at) : box("mark", at);
    const text = shape("name", "text", { x: `${100 * x}%`, y: `${100 * y}%`, dx: 4, dy: y < 0.06 ? 18 : -6 });
    text.textContent = name;
  }
  if (corner) dot("live", corner);
  if (live) box("live", live);
  if (document.activeElement === find(".stage") && find(".stage").matches(":focus-visible")) dot("cross", cross);
}

function show() {
  const value = props.value || {};
  const picture = find(".picture");
  if (picture.getAttribute("src") !== value.src) {
    if (value.src) picture.setAttribute("src", value.src);
    else picture.removeAttribute("src");
    corner = start = null;
  }
  picture.alt = value.handle || "";
  find(".stage").hidden = !value.src;
  find(".stage").setAttribute("aria-label", `${props.aria || ""} ${value.handle || ""}`);
  find(".hint").textContent = value.hint || "";
  element.toggleAttribute("data-pending", Boolean(value.pending));
  find(".handle").textContent = value.handle || "";
  draw();
}

function set(at) {
  corner = null;
  trigger("mark", { at });
}

function put(at) {
  if (props.mode !== "box") return set(at);
  if (!corner) { corner = at; return draw(); }
  return set([...corner, ...at]);
}

const far = (event) => Math.hypot(event.clientX - start.x, event.clientY - start.y) > DRAG;

element.addEventListener("pointerdown", (event) => {
  if (!event.target.closest(".stage") || event.button !== 0 || !event.isPrimary) return;
  start = { x: event.clientX, y: event.clientY, at: place(event) };
  if (event.pointerType !== "touch" || props.mode === "box") {
    event.preventDefault();
    find(".stage").setPointerCapture(event.pointerId);
  }
});
element.addEventListener("pointermove", (event) => {
  if (start && far(event)) draw([...start.at, ...place(event)]);
});
element.addEventListener("pointerup", (event) => {
  if (!start) return;
  const from = start.at;
  const dragged = far(event);
  start = null;
  if (dragged) set([...from, ...place(event)]);
  else put(from);
});
element.addEventListener("pointercancel", () => { start = null; draw(); });
element.addEventListener("dragstart", (event) => event.preventDefault());
element.addEventListener("focusin", () => draw());
element.addEventListener("focusout", () => draw());
element.addEventListener("keydown", (event) => {
  if (!event.target.closest(".stage")) return;
  const step = event.shiftKey ? 0.1 : 0.02;
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
  if (moves[event.key]) {
    cross = cross.map((n, axis) => Math.min(Math.max(n + moves[event.key][axis], 0), 1));
    draw(corner && [...corner, ...cross]);
  } else if (event.key === "Enter" || event.key === " ") put([...cross]);
  else if (event.key === "Escape") { corner = null; draw(); }
  else return;
  event.preventDefault();
});
watch(["value", "mode", "aria"], () => { element.dataset.mode = props.mode; show(); });
element.dataset.mode = props.mode;
show();
