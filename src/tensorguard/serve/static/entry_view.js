// One entry: what people say of it, what its fingerprint is, and its family.
"use strict";

import { ask } from "./api.js";
import { card, entryLink, facts, make, problem, shape, tag } from "./dom.js";
import { state } from "./registry_view.js";

export async function show(place, query, signal) {
  const asked = { name: query.get("name") ?? "", key: query.get("key") ?? "public" };
  const { entry, holds, damage, parents, children } = await ask("/entry", { query: asked, signal });
  const said = entry.facts;
  const verified = entry.verified
    ? "Its fingerprint was computed here from the weights."
    : "Its fingerprint was imported: a claim until “tensorguard registry verify” recomputes it from the weights.";
  const graph = make("div", {}, make("p", { class: "note" }, "Looking for its family …"));
  place.append(
    make("p", { class: "back" }, make("a", { href: "#/registry" }, "← Known models")),
    make("h1", {}, entry.name),
    make("section", { class: `answer tone-${entry.verified ? "clear" : "shared"}` }, make("p", { class: "said" }, state(entry), " ", verified)),
    damage ? problem({ message: damage }) : "",
    make("div", { class: "columns" },
      card("What people say of it", facts([
        ["repository", said.repository], ["revision", said.revision], ["family", said.family], ["publisher", said.publisher], ["licence", said.licence],
        ["released", said.released], ["relation", said.relation], ["parents", names(parents, entry.key)], ["children", names(children.map((name) => ({ name, known: true })), entry.key)],
      ]), make("p", { class: "note" }, "Shown and followed, and never evidence.")),
      card("Its fingerprint", facts([
        ["weights", make("code", {}, entry.source_digest)], ["fingerprint", make("code", {}, entry.fingerprint)], ["key", entry.key],
        ["specification", entry.specification], ["origin", entry.origin], ["added", `${entry.added}, TensorGuard ${entry.tool}`],
        ...(holds ? [["architecture", holds.architecture], ["parameters", holds.parameters.toLocaleString("en")], ["tensors", String(holds.tensors)], ["blocks", `${holds.blocks}, ${holds.width} wide`]] : []),
      ])),
    ),
    card("Family", make("p", { class: "note" }, "By what people say. A scan measures."), graph),
  );
  ask("/entry/family", { query: asked, signal }).then(
    (found) => graph.replaceChildren(drawing(found, entry.key)),
    (error) => { if (!signal.aborted) graph.replaceChildren(problem(error)); },
  );
}

function names(list, key) {
  if (!list.length) return null;
  return make("ul", { class: "plain" }, ...list.map(({ name, known }) => make("li", {}, known ? make("a", { href: entryLink(name, key) }, name) : name)));
}

/** The graph as the report's page draws it: a line per model, links beside them. */
function drawing(family, key) {
  if (family.nodes.length < 2) return make("p", {}, "Nobody says anything of parents or children.");
  const { width, height } = family;
  const arrow = shape("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, shape("path", { d: "M0 0L8 4L0 8z" }));
  const svg = shape("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, shape("defs", {}, arrow),
    ...family.edges.map((edge) => shape("path", { class: "edge said", d: edge.outline, "marker-end": "url(#arrow)" })),
    ...family.nodes.map((node) => shape("circle", { class: `node tone-${node.tone}`, cx: node.x, cy: node.y, r: node.tone === "subject" ? 6.5 : 5 })));
  const links = svg.querySelectorAll(".edge");
  const lines = family.nodes.map((node, at) => {
    const light = (on) => family.edges.forEach((edge, place) => links[place].classList.toggle("on", on && (edge.parent === at || edge.child === at)));
    const about = [...new Set(family.edges.filter((edge) => edge.child === at).map((edge) => edge.note))].join("; ");
    const known = node.key !== null && node.tone !== "subject";
    const name = known ? make("a", { href: entryLink(node.name, key), title: about || null }, node.name) : make("span", { class: "name", title: about || null }, node.name);
    const line = make("li", { class: `tone-${node.tone}`, onpointerenter: () => light(true), onpointerleave: () => light(false), onfocusin: () => light(true), onfocusout: () => light(false) }, name, node.tag ? tag(node.tag) : "");
    line.style.setProperty("--x", `${node.x}px`);
    return line;
  });
  return make("div", {}, make("div", { class: "lines" }, svg, make("ol", {}, ...lines)),
    family.complete ? "" : make("p", { class: "note" }, "More is known than is shown; open a model to go on from there."));
}
