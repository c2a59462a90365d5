// The registry, page by page.
"use strict";

import { ask } from "./api.js";
import { entryLink, make, tag, tell } from "./dom.js";

const PAUSE = 250; // milliseconds between the last key and the search

export async function show(place, query, signal) {
  const input = make("input", { type: "search", id: "words", value: query.get("q") ?? "", maxlength: 200, placeholder: "name, family, publisher, licence …" });
  const body = make("tbody");
  const count = make("p", { class: "note" });
  const more = make("button", { type: "button", class: "button", hidden: true }, "Show more");
  let next = null;
  let latest = 0;

  async function load(from) {
    const turn = ++latest;
    const found = await ask("/entries", { query: { q: input.value, after: from ?? [] }, signal });
    if (turn !== latest) return; // another search was begun meanwhile
    if (!from) body.replaceChildren();
    body.append(...found.entries.map(row));
    next = found.next;
    more.hidden = !next;
    count.textContent = body.rows.length ? `${body.rows.length} shown${next ? ", there are more" : ""}` : input.value ? "Nothing fits." : "The registry is empty: tensorguard registry add MODEL";
    tell(count.textContent);
  }

  let timer = 0;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      history.replaceState(null, "", `#/registry${input.value ? `?${new URLSearchParams({ q: input.value })}` : ""}`);
      load(null).catch(() => { count.textContent = "The search failed."; });
    }, PAUSE);
  });
  more.addEventListener("click", () => load(next).catch(() => { count.textContent = "The search failed."; }));
  const headings = ["Model", "Family", "Publisher", "Licence", "Released", "State"];
  place.append(
    make("h1", {}, "Known models"),
    make("section", { class: "card" },
      make("label", { class: "filter", for: "words" }, "Show those with "), input, count,
      make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Known models" },
        make("table", { class: "entries" }, make("thead", {}, make("tr", {}, ...headings.map((each, at) => make("th", { scope: "col", class: at > 0 && at < 5 ? "aside" : null }, each)))), body)),
      more),
  );
  await load(null);
}

function row(entry) {
  const { family, publisher, licence, released } = entry.facts;
  const name = make("a", { href: entryLink(entry.name, entry.key) }, entry.name);
  return make("tr", {}, make("th", { scope: "row" }, name), ...[family, publisher, licence, released].map((each) => make("td", { class: "aside" }, each || "–")), make("td", {}, state(entry)));
}

export function state(entry) {
  const said = entry.verified ? tag("verified", "clear") : tag("claim", "shared");
  return entry.key === "public" ? said : make("span", {}, said, " ", tag(`key ${entry.key.slice(0, 8)}`));
}
