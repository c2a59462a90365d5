"use strict";
// Makes the page explorable. Everything shown stands in the page without it. Names are untrusted: text goes in by textContent alone.

const charts = JSON.parse(document.getElementById("charts").textContent);
const SVG = "http://www.w3.org/2000/svg";

/** Make an element; `text` is shown as it is. */
function make(name, attributes = {}, text = "") {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}

function shape(parent, name, className) {
  const element = document.createElementNS(SVG, name);
  element.setAttribute("class", className);
  return parent.appendChild(element);
}

function facts(pairs) {
  const list = make("dl", { class: "facts" });
  for (const [name, text] of pairs) list.append(make("dt", {}, name), make("dd", {}, text));
  return list;
}

// Heat maps: a cursor that follows the pointer, a finger or the arrow keys; Enter or a click holds it.
function heatmap(section, chart) {
  const read = section.querySelector(".read");
  const drawings = [...section.querySelectorAll(".map > svg")];
  read.textContent = read.dataset.idle;
  const cell = { row: -1, column: -1, held: false };
  const cursors = drawings.map((svg) => {
    const ground = svg.querySelector(".ground");
    const within = shape(ground.parentNode, "g", "cursor");
    within.style.display = "none";
    const cursor = { within, across: shape(within, "rect", "cross"), down: shape(within, "rect", "cross"), cell: shape(within, "rect", "cell") };
    svg.setAttribute("tabindex", "0");
    svg.setAttribute("role", "application");
    svg.setAttribute("aria-roledescription", "heat map");
    return { ...cursor, ground, width: ground.width.baseVal.value, height: ground.height.baseVal.value };
  });
  const shown = () => Number(section.querySelector(".choose:checked").value);

  function place(element, x, y, width, height) {
    for (const [key, value] of Object.entries({ x, y, width, height })) element.setAttribute(key, value);
  }

  function show() {
    for (const each of cursors) {
      each.within.style.display = cell.row < 0 ? "none" : "";
      if (cell.row < 0) continue;
      const [w, h] = [each.width / chart.columns.length, each.height / chart.rows.length];
      place(each.across, 0, cell.row * h, each.width, h);
      place(each.down, cell.column * w, 0, w, each.height);
      place(each.cell, cell.column * w, cell.row * h, w, h);
    }
    if (cell.row < 0) {
      read.textContent = read.dataset.idle;
      return;
    }
    const panel = chart.panels[shown()];
    const here = ([row, column]) => row === cell.row && column === cell.column;
    const value = panel.values[cell.row][cell.column];
    const best = panel.values[cell.row].reduce((most, each, at, all) => (each !== null && (all[most] === null || each > all[most]) ? at : most), 0);
    const number = (each) => (each === null ? "not comparable" : (each / 1000).toFixed(3));
    read.replaceChildren(
      make("b", { class: "big" }, number(value)),
      make("p", {}, `${chart.row}: ${chart.rows[cell.row]}`),
      make("p", {}, `${chart.column}: ${chart.columns[cell.column]}`),
    );
    if (panel.marks.some(here)) read.append(make("p", {}, `Ring: ${chart.mark}.`));
    if (panel.path.some(here)) read.append(make("p", {}, `Line: ${chart.path}.`));
    if (panel.values[cell.row][best] > value) read.append(make("p", {}, `Highest in this row: ${number(panel.values[cell.row][best])} at ${chart.columns[best]}.`));
    if (cell.held) read.append(make("p", {}, "Held; Escape or another click lets go."));
  }

  function move(row, column) {
    cell.row = Math.max(0, Math.min(chart.rows.length - 1, row));
    cell.column = Math.max(0, Math.min(chart.columns.length - 1, column));
    show();
  }

  function point(event, ground) {
    const box = ground.getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) / box.height) * chart.rows.length);
    const column = Math.floor(((event.clientX - box.left) / box.width) * chart.columns.length);
    if (row >= 0 && column >= 0 && row < chart.rows.length && column < chart.columns.length) return move(row, column), true;
    return false;
  }

  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -1e6], End: [0, 1e6], PageUp: [-1e6, 0], PageDown: [1e6, 0] };
  drawings.forEach((svg, at) => {
    const ground = cursors[at].ground;
    svg.addEventListener("pointermove", (event) => { if (!cell.held) point(event, ground); });
    svg.addEventListener("pointerleave", (event) => {
      if (!cell.held && event.pointerType === "mouse" && document.activeElement !== svg) { cell.row = -1; show(); }
    });
    svg.addEventListener("click", (event) => {
      cell.held = !cell.held;
      if (!point(event, ground)) { cell.held = false; cell.row = -1; show(); }
    });
    svg.addEventListener("focus", () => { if (cell.row < 0 && svg.matches(":focus-visible")) move(0, 0); });
    svg.addEventListener("keydown", (event) => {
      const step = steps[event.key];
      if (step) move(cell.row + step[0], cell.column + step[1]);
      else if (event.key === "Enter" || event.key === " ") { cell.held = !cell.held; show(); }
      else if (event.key === "Escape") { cell.held = false; cell.row = -1; show(); }
      else return;
      event.preventDefault();
    });
  });
  for (const each of section.querySelectorAll(".choose")) each.addEventListener("change", show);
  read.setAttribute("aria-live", "polite");
}

// Family graphs: choosing a model lights its links up and tells what is known of it.
function graph(section, chart) {
  const read = section.querySelector(".read");
  const buttons = [...section.querySelectorAll("button[data-node]")];
  read.textContent = read.dataset.idle;

  function choose(node) {
    for (const each of buttons) each.setAttribute("aria-pressed", String(Number(each.dataset.node) === node));
    for (const each of section.querySelectorAll("path[data-edge]")) {
      const on = chart.edges[each.dataset.edge].slice(0, 2).includes(node);
      each.classList.toggle("on", on);
      each.classList.toggle("off", !on);
    }
    const { label, tag, facts: known } = chart.nodes[node];
    const links = chart.edges.filter((each) => each[0] === node || each[1] === node).map(([parent, child, note, measured, directed]) => {
      const other = chart.nodes[parent === node ? child : parent].label;
      const kind = !directed ? "linked with" : parent === node ? "parent of" : "child of";
      return [`${kind} ${other}`, `${note} (${measured ? "measured" : "said, not measured"})`];
    });
    read.replaceChildren(make("b", {}, label), document.createTextNode(tag ? ` (${tag})` : ""), facts([...known, ...links]));
  }

  buttons.forEach((button, at) => {
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => choose(Number(button.dataset.node)));
    button.addEventListener("keydown", (event) => {
      const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
      if (!buttons[next]) return;
      event.preventDefault();
      buttons[next].focus();
      choose(Number(buttons[next].dataset.node));
    });
  });
}

// Checklists: how many are done; ticks stay in this browser, where it lets a page keep something.
function checklist(section) {
  const boxes = [...section.querySelectorAll("input[type=checkbox]")];
  const progress = section.querySelector(".progress");
  const digest = document.getElementById("digest");
  const key = `tensorguard ${digest ? digest.textContent : document.title} ${section.dataset.chart}`;
  const count = () => { progress.textContent = `${boxes.filter((each) => each.checked).length} of ${boxes.length} ticked, on this computer only`; };
  try {
    const kept = JSON.parse(localStorage.getItem(key) || "[]");
    boxes.forEach((each, at) => { each.checked = kept[at] === true; });
  } catch { /* Nothing is kept here. */ }
  for (const each of boxes) {
    each.addEventListener("change", () => {
      count();
      try { localStorage.setItem(key, JSON.stringify(boxes.map((box) => box.checked))); } catch { /* Nor can it be. */ }
    });
  }
  progress.hidden = false;
  count();
}

// Tables: sorted by any column, filtered by any word.
function table(scroll) {
  const body = scroll.querySelector("tbody");
  const rows = [...body.rows];
  const headings = [...scroll.querySelectorAll("th")];
  const text = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  function value(row, column) {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  }

  /** Numbers before text, what is missing last whichever way. */
  function compare(a, b, way) {
    const missing = (each) => each === "–" || each === "";
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    if (typeof a !== typeof b) return way * (typeof a === "number" ? -1 : 1);
    return way * (typeof a === "number" ? a - b : text.compare(a, b));
  }

  headings.forEach((heading, column) => {
    const button = make("button", { type: "button", title: "Sort by this column" }, heading.textContent);
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const way = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const each of headings) each.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
      body.append(...[...rows].sort((a, b) => compare(value(a, column), value(b, column), way)));
    });
  });
  if (rows.length <= 8) return;
  const label = make("label", { class: "filter" }, "Show rows with ");
  const input = label.appendChild(make("input", { type: "search" }));
  const count = scroll.closest("details").querySelector(".count");
  const all = count.textContent;
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) row.hidden = !wanted.every((word) => row.textContent.toLowerCase().includes(word));
    const left = rows.filter((row) => !row.hidden).length;
    count.textContent = left === rows.length ? all : `${left} of ${all}`;
  });
  scroll.before(label);
}

const explore = { heatmap, graph, checklist, bars() {} };
for (const section of document.querySelectorAll("[data-chart]")) {
  const chart = charts[section.dataset.chart];
  explore[chart.kind](section, chart);
}
document.querySelectorAll(".scroll").forEach(table);

// On paper everything is open.
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const each of closed) each.open = true;
});
addEventListener("afterprint", () => { for (const each of closed) each.open = false; });
