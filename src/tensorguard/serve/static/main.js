// The page's addresses: what stands behind # says what is shown.
"use strict";

import { ask } from "./api.js";
import { make, problem } from "./dom.js";
import * as apiView from "./api_view.js";
import * as entryView from "./entry_view.js";
import * as jobView from "./job_view.js";
import * as registryView from "./registry_view.js";
import * as scanView from "./scan_view.js";

const VIEWS = {
  "/registry": registryView.show, "/entry": entryView.show, "/scan": scanView.show, "/jobs": jobView.list, "/job": jobView.show, "/api": apiView.show,
};
const main = document.getElementById("main");
let leaving = new AbortController();

/** Exchange the token in the address for a cookie, and take it out of the address. */
async function enter() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  history.replaceState(null, "", "#/registry");
  await ask("/session", { method: "POST", token });
}

async function route() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const [path, query = ""] = location.hash.slice(1).split("?", 2);
  if (path === "main") return main.focus(); // the link over the navigation
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.hash === `#${path}` || (path === "/entry" && link.hash === "#/registry") || (path === "/job" && link.hash === "#/jobs");
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const view = VIEWS[path];
  if (!view) return location.replace("#/registry");
  const place = make("div");
  main.replaceChildren(place);
  try {
    await view(place, new URLSearchParams(query), signal);
    document.title = `${place.querySelector("h1")?.textContent ?? ""} – TensorGuard`;
  } catch (error) {
    if (signal.aborted) return;
    place.replaceChildren(make("h1", {}, error.status === 401 ? "Not signed in" : "That did not work"), problem(error));
  }
}

async function start() {
  try {
    await enter();
    const about = await ask("/about");
    document.getElementById("version").textContent = about.version;
    document.getElementById("place").textContent = `Registry: ${about.registry}`;
  } catch (error) {
    main.replaceChildren(make("h1", {}, "Not signed in"), problem(error));
    return;
  }
  addEventListener("hashchange", () => (location.hash.startsWith("#token=") ? location.reload() : route()));
  await route();
}

await start();
