// The API's own description, without any library.
"use strict";

import { ask } from "./api.js";
import { card, make } from "./dom.js";

export async function show(place, query, signal) {
  const { paths, info } = await ask("/openapi.json", { signal });
  const routes = Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, route]) => ({ path, method: method.toUpperCase(), ...route })));
  const groups = [...new Set(routes.map((route) => route.tags[0]))];
  const example = `curl -H "Authorization: Bearer $TOKEN" "${location.origin}/api/v1/entries?q=llama"`;
  place.append(
    make("h1", {}, "API"),
    card("How", make("p", {}, info.description), make("pre", { tabindex: 0 }, example), make("p", {}, make("a", { href: "/api/v1/openapi.json" }, "OpenAPI document"))),
    ...groups.map((group) => card(group, ...routes.filter((route) => route.tags[0] === group).map(described))),
  );
}

function described(route) {
  const parameters = (route.parameters ?? []).map((each) => make("li", {}, make("code", {}, each.name), each.required ? "" : " (optional)", each.description ? `: ${each.description}` : ""));
  return make("div", { class: "route" }, make("p", {}, make("span", { class: "tag" }, route.method), " ", make("code", {}, route.path)), make("p", { class: "note" }, route.description ?? ""), parameters.length ? make("ul", {}, ...parameters) : "");
}
