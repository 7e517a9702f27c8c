// The pages work without this file; it adds suggestions, filters that apply at once, and values under the pointer.
"use strict";

// On a phone the links scroll sideways: the page one is on must be among those in sight.
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// Suggestions while typing, at most one request every 200 ms.
for (const input of document.querySelectorAll("input[data-suggest]")) {
  const list = document.getElementById(input.getAttribute("list"));
  let timer;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const asked = input.value.trim();
      if (!asked) return list.replaceChildren();
      try {
        const answer = await fetch(`${input.dataset.suggest}?q=${encodeURIComponent(asked)}`);
        if (!answer.ok || answer.redirected) return;
        const found = await answer.json();
        // An answer may arrive after the text has changed.
        if (input.value.trim() !== asked) return;
        list.replaceChildren(...found.map((id) => Object.assign(document.createElement("option"), { value: id })));
      } catch {
        // Suggestions are a convenience: the search itself still works.
      }
    }, 200);
  });
}

// Filters apply at once; without this script the button does it.
for (const button of document.querySelectorAll("button[data-auto]")) {
  button.hidden = true;
  button.form.addEventListener("change", ({ target }) => {
    sessionStorage.setItem("changed", target.name);
    button.form.submit();
  });
}

// The page that a filter brought goes on where the keys were: else each arrow would begin at the top again.
const changed = sessionStorage.getItem("changed");
if (changed) {
  sessionStorage.removeItem("changed");
  const name = CSS.escape(changed);
  document.querySelector(`.filters :is(select[name=${name}], input[name=${name}]:checked)`)?.focus({ preventScroll: true });
}

// Says that what is shown grows old, as long as anything that should be live does not come.
const missing = new Set();
const comes = (what, well) => {
  if (well) missing.delete(what);
  else missing.add(what);
  document.getElementById("offline").hidden = missing.size === 0;
};

// Puts what the server shows now in place of what it showed, unless somebody is using it. A part is a fragment of its
// own (data-from) or an element of the page. False: look again later.
const renew = async (part) => {
  if (document.hidden || part.contains(document.activeElement)) return false;
  const from = part.dataset.from;
  try {
    const answer = await fetch(from ?? location.href);
    // The session has ended: the page asks for a new one, and comes back here.
    if (answer.redirected) return location.reload();
    comes(part, answer.ok);
    if (!answer.ok) return true;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = from ? page.body : page.getElementById(part.id);
    if (fresh) part.replaceChildren(...fresh.childNodes);
    fetchLate(part);
  } catch {
    comes(part, false); // The next time tries again; the page stays as it is.
  }
  return true;
};

// Parts that may take their time come once the page is shown, or looked at.
const fetchLate = (within) => {
  for (const part of within.querySelectorAll("[data-late]")) {
    if (document.hidden) document.addEventListener("visibilitychange", () => renew(part), { once: true });
    else renew(part);
  }
};
fetchLate(document);

// Parts that follow events.
for (const part of document.querySelectorAll("[data-live]")) {
  const { live, event, from, wait } = part.dataset;
  let waiting;
  const refresh = async () => {
    waiting = undefined;
    if (!(await renew(part))) later();
  };
  const later = () => (waiting ??= setTimeout(refresh, Number(wait ?? 5000)));
  // A stream that is opened again tells what is now once more.
  const seen = new Map();
  const source = new EventSource(live);
  let silent;
  source.addEventListener("open", () => {
    clearTimeout(silent);
    silent = comes(source, true);
  });
  source.addEventListener("error", () => {
    silent ??= setTimeout(() => comes(source, false), 5000); // Most streams are opened again at once.
    if (source.readyState === EventSource.CLOSED) renew(part); // Refused: has the session ended?
  });
  source.addEventListener(event, ({ data }) => {
    const { alert_id, window: kind } = JSON.parse(data);
    const key = alert_id ?? kind;
    const known = seen.get(key);
    seen.set(key, data);
    if (known !== data && (alert_id || known || from)) later();
  });
}

// Parts that are looked at again and again.
for (const part of document.querySelectorAll("[data-every]")) {
  setInterval(() => renew(part), Number(part.dataset.every));
}

// Escape closes a tooltip (its button loses the focus).
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.activeElement.closest(".help")) document.activeElement.blur();
});

// The value under the pointer.
const NS = "http://www.w3.org/2000/svg";
const make = (name, attributes, parent) => {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return parent.appendChild(node);
};

for (const layer of document.querySelectorAll("svg .hover")) {
  const svg = layer.ownerSVGElement;
  const points = JSON.parse(layer.dataset.points);
  const rule = make("line", { class: "rule", y1: layer.dataset.top, y2: layer.dataset.bottom }, layer);
  const dot = make("circle", { class: "mark", r: 4 }, layer);
  const box = make("rect", { class: "tip", rx: 6 }, layer);
  const head = make("text", { class: "tip-head" }, layer);
  const body = make("text", { class: "tip-body" }, layer);
  const hide = () => layer.classList.remove("on");
  const show = (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse()).x;
    const [x, y, when, value, range] = points.reduce((a, b) => (Math.abs(b[0] - at) < Math.abs(a[0] - at) ? b : a));
    layer.classList.add("on");
    rule.setAttribute("x1", x);
    rule.setAttribute("x2", x);
    dot.setAttribute("cx", x);
    dot.setAttribute("cy", y);
    head.textContent = when;
    body.textContent = range ? `${value}  (${range})` : value;
    const width = Math.max(head.getBBox().width, body.getBBox().width) + 20;
    const left = Math.min(Math.max(x + 12, 0), svg.viewBox.baseVal.width - width - 2);
    const place = left < x + 8 ? Math.max(x - width - 12, 2) : left;
    for (const [node, dx, dy] of [[box, 0, 0], [head, 10, 18], [body, 10, 36]]) {
      node.setAttribute("x", place + dx);
      node.setAttribute("y", Number(layer.dataset.top) + dy);
    }
    box.setAttribute("width", width);
    box.setAttribute("height", 46);
  };
  svg.addEventListener("pointermove", show);
  svg.addEventListener("pointerdown", show);
  svg.addEventListener("pointerleave", hide);
}
