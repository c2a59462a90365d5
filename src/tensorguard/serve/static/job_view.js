// Jobs: the list of them, and one with its progress and its report.
"use strict";

import { ask, report } from "./api.js";
import { make, problem, tag, tell } from "./dom.js";

const PAUSE = 600; // milliseconds between two looks
const TONES = { queued: "unknown", running: "linked", done: "clear", failed: "bad", cancelled: "unknown" };
const FORMS = { html: "Page", json: "JSON", table: "Text", sarif: "SARIF", cyclonedx: "CycloneDX", spdx: "SPDX", card: "Model card" };
const over = (job) => !["queued", "running"].includes(job.status);

const pause = (signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, PAUSE);
  signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
});

export async function list(place, query, signal) {
  const body = make("tbody");
  const empty = make("p", {}, "Nothing was scanned since the server was started. ", make("a", { href: "#/scan" }, "Scan something"), ".");
  const scroll = make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Jobs" },
    make("table", { class: "entries" }, make("thead", {}, make("tr", {}, ...["Model", "What", "State", "Answer", "Begun"].map((each, at) => make("th", { scope: "col", class: [1, 3, 4].includes(at) ? "aside" : null }, each)))), body));
  place.append(make("h1", {}, "Jobs"), make("section", { class: "card" }, empty, scroll, make("p", { class: "note" }, "Kept in the server's memory for a day, and gone when it ends.")));
  watch(signal, async () => {
    const jobs = await ask("/jobs", { signal });
    empty.hidden = jobs.length > 0;
    scroll.hidden = !jobs.length;
    body.replaceChildren(...jobs.map((job) => make("tr", {}, make("th", { scope: "row" }, make("a", { href: `#/job?id=${encodeURIComponent(job.id)}` }, job.subject)), make("td", { class: "aside" }, job.kind),
      make("td", {}, tag(job.status, TONES[job.status])), make("td", { class: "aside" }, job.error?.message ?? (job.word || job.summary || "–")), make("td", { class: "aside" }, time(job.started ?? job.created)))));
    return jobs.every(over);
  }, place);
}

export async function show(place, query, signal) {
  const path = `/jobs/${encodeURIComponent(query.get("id") ?? "")}`;
  let job = await ask(path, { signal });
  const state = make("div");
  place.append(make("p", { class: "back" }, make("a", { href: "#/jobs" }, "← Jobs")), make("h1", {}, `${job.kind === "scan" ? "Scan" : "Check"} of ${job.subject}`), state);
  let shown = "";
  watch(signal, async () => {
    job = await ask(path, { signal });
    const now = JSON.stringify(job);
    if (now !== shown) {
      const cancelling = state.querySelector("button[disabled]") !== null && !over(job);
      state.replaceChildren(...described(job, path, cancelling));
      if (over(job)) tell(`${job.status}. ${job.summary || job.error?.message || ""}`);
    }
    shown = now;
    return over(job);
  }, place);
}

/** Look again and again until `look` says that nothing changes any more. */
async function watch(signal, look, place) {
  try {
    while (!signal.aborted && !(await look())) await pause(signal);
  } catch (error) {
    if (!signal.aborted) place.append(problem(error));
  }
}

function described(job, path, cancelling) {
  if (job.status === "failed") return [problem(job.error)];
  if (job.status === "cancelled") return [make("p", { class: "answer tone-unknown" }, "Cancelled.")];
  return job.status === "done" ? finished(job) : [underWay(job, path, cancelling)];
}

function underWay(job, path, cancelling) {
  const stop = make("button", { type: "button", class: "button quiet", disabled: cancelling }, cancelling ? "Cancelling …" : "Cancel");
  stop.addEventListener("click", () => {
    stop.disabled = true;
    stop.textContent = "Cancelling …";
    ask(path, { method: "DELETE" }).catch(() => { stop.disabled = false; stop.textContent = "Cancel"; });
  });
  const text = job.status === "queued" ? `Waiting: ${job.ahead} before it.` : job.tasks.length ? "Under way." : "Comparing …";
  return make("section", { class: "answer tone-linked" }, make("p", { class: "said" }, text), ...job.tasks.map(bar), make("p", {}, stop));
}

function bar(task) {
  const known = task.total > 0 && task.done > 0;
  const share = known ? `${Math.floor((100 * task.done) / task.total)} %` : "";
  return make("p", { class: "task" }, make("span", {}, `${task.name} (${task.unit}) ${share}`),
    make("progress", known ? { max: task.total, value: task.done, "aria-label": task.name } : { "aria-label": task.name }));
}

function finished(job) {
  const downloads = job.forms.map((form) => make("a", { class: "button quiet", href: report(job.id, form, true), download: "" }, FORMS[form] ?? form));
  const frame = make("iframe", { src: report(job.id, "html"), sandbox: "allow-scripts allow-modals", title: `Report on ${job.subject}` });
  return [
    make("section", { class: "card" }, make("h2", {}, "Take it along"), make("p", { class: "buttons" },
      make("a", { class: "button", href: report(job.id, "html"), target: "_blank", rel: "noopener noreferrer" }, "Open the report on its own"), ...downloads)),
    make("section", { class: "frame", "aria-label": "Report" }, frame),
  ];
}

const time = (text) => new Date(text).toLocaleString();
