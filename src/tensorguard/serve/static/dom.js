// Elements made by hand: every text goes in by textContent, so that no name from a file or a registry can be markup.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

/** Make an element; children are elements or texts, attributes that are null are left out. */
export function make(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function shape(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((each) => each !== null));
  return element;
}

/** Pairs of a name and what it is, those without a value left out. */
export function facts(pairs) {
  const list = make("dl", { class: "facts" });
  for (const [name, value] of pairs) if (value) list.append(make("dt", {}, name), make("dd", {}, value));
  return list;
}

export function tag(text, tone = "unknown") {
  return make("span", { class: `tag tone-${tone}` }, text);
}

/** A card with a heading. */
export function card(title, ...children) {
  return make("section", { class: "card" }, make("h2", {}, title), ...children);
}

/** What went wrong, and what to do about it. */
export function problem(error) {
  const where = error.where ? ` in ${error.where}` : "";
  return make("section", { class: "answer tone-bad", role: "alert" },
    make("p", { class: "said" }, `${error.message}${where}`), error.hint ? make("p", { class: "note" }, error.hint) : null);
}

/** Tell who cannot see the page what has changed. */
export function tell(text) {
  document.getElementById("status").textContent = text;
}

export function entryLink(name, key = "public") {
  return `#/entry?${new URLSearchParams({ name, key })}`;
}
