// What to scan: a fingerprint that is dropped, or a path under a root.
"use strict";

import { ask, order, upload } from "./api.js";
import { card, make, problem } from "./dom.js";

export async function show(place, query, signal) {
  const about = await ask("/about", { signal });
  const kinds = [["scan", "Scan", "what it is derived from, and what that obliges to"], ["check", "Check", "what it claims against what its weights show"]];
  const name = make("input", { type: "text", id: "published", maxlength: 200 });
  const named = make("p", { hidden: true }, make("label", { for: "published" }, "Published as "), name, make("span", { class: "note" }, " if that is not what its files say"));
  const choice = make("fieldset", { class: "kinds" }, make("legend", {}, "What to do"), ...kinds.map(([value, title, text]) =>
    make("label", {}, make("input", { type: "radio", name: "kind", value, checked: value === "scan", onchange: () => { named.hidden = kind() !== "check"; } }), ` ${title}: `, make("span", { class: "note" }, text))));
  const kind = () => choice.querySelector(":checked").value;
  const trouble = make("div");

  /** Begin a job and go to it; what is wrong with it stands here. */
  async function begin(promise) {
    trouble.replaceChildren(make("p", { role: "status" }, "Sending …"));
    try {
      location.hash = `#/job?id=${(await promise).id}`;
    } catch (error) {
      trouble.replaceChildren(problem(error));
    }
  }

  const send = (file) => {
    if (file.size > about.max_upload) return trouble.replaceChildren(problem({ message: "that is no fingerprint: it is too long", hint: "make one with: tensorguard fingerprint MODEL" }));
    return begin(upload(file, kind(), name.value));
  };
  place.append(
    make("h1", {}, "Where does a model come from?"),
    make("section", { class: "card" }, choice, named),
    trouble,
    make("div", { class: "columns" },
      card("A fingerprint", dropZone(send), make("p", { class: "note" }, "Made where the weights are, with “tensorguard fingerprint MODEL -o out”. It holds no weights.")),
      card("A model on the server's disk", about.roots.length ? pathForm(about.roots, kind, name, begin) : make("p", {}, "No folder may be read. Start the server with ", make("code", {}, "--root DIR"), " to allow one.")),
    ),
  );
}

function dropZone(send) {
  const input = make("input", { type: "file", id: "file", accept: ".tgfp", onchange: () => { if (input.files.length) send(input.files[0]); } });
  const zone = make("div", { class: "drop" }, make("label", { for: "file" }, make("b", {}, "Drop a .tgfp here"), " or choose one"), input);
  const over = (on) => (event) => { event.preventDefault(); zone.classList.toggle("over", on); };
  zone.addEventListener("dragover", over(true));
  zone.addEventListener("dragleave", over(false));
  zone.addEventListener("drop", (event) => {
    over(false)(event);
    const [file] = event.dataTransfer.files;
    if (file) send(file);
  });
  return zone;
}

function pathForm(roots, kind, name, begin) {
  const path = make("input", { type: "text", id: "path", required: true, maxlength: 4000, spellcheck: "false", autocomplete: "off" });
  const base = make("input", { type: "text", id: "base", maxlength: 4000, spellcheck: "false", autocomplete: "off" });
  const what = () => ({ path: path.value, kind: kind(), base: base.value || null, name: name.value || null });
  return make("form", { class: "path", onsubmit: (event) => { event.preventDefault(); begin(order(what())); } },
    make("label", { for: "path" }, "Folder or file of a model, an adapter or a .tgfp"), path,
    make("label", { for: "base" }, "Base, if it is an adapter whose base is not found by name"), base,
    make("p", { class: "note" }, "Under: ", ...roots.flatMap((root) => [make("code", {}, root), " "])),
    make("button", { type: "submit", class: "button" }, "Start"));
}
