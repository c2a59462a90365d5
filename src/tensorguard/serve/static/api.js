// The server's API, as this page uses it.
"use strict";

const PREFIX = "/api/v1";

/** An error that the server told. */
export class Problem extends Error {
  constructor(status, { message, where = "", hint = "" }) {
    super(message);
    Object.assign(this, { status, where, hint });
  }
}

/** Ask for something; `query` leaves out what is empty. */
export async function ask(path, { method = "GET", query = {}, body, type, token, signal } = {}) {
  const url = new URL(PREFIX + path, location.origin);
  for (const [name, value] of Object.entries(query)) {
    for (const each of [value].flat()) if (each !== "" && each !== null && each !== undefined) url.searchParams.append(name, each);
  }
  const headers = {};
  if (type) headers["Content-Type"] = type;
  if (token) headers.Authorization = `Bearer ${token}`;
  let answer;
  try {
    answer = await fetch(url, { method, headers, body, signal, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { message: "the server does not answer", hint: "see whether it is still running" });
  }
  if (answer.status === 204) return null;
  const found = await answer.json().catch((error) => {
    if (answer.ok) throw error; // it was broken off, as when the page was left
    return { error: { message: `the server answered ${answer.status}` } };
  });
  if (!answer.ok) throw new Problem(answer.status, found.error);
  return found;
}

/** Scan or check a path under a root. */
export const order = (what) => ask("/jobs", { method: "POST", body: JSON.stringify(what), type: "application/json" });

/** Scan or check a fingerprint's file. */
export const upload = (file, kind, name) =>
  ask("/jobs/upload", { method: "POST", query: { kind, name, filename: file.name.slice(0, 200) }, body: file, type: "application/octet-stream" });

/** Where a report is. */
export const report = (id, form, download = false) => `${PREFIX}/reports/${encodeURIComponent(id)}/${form}${download ? "?download=true" : ""}`;
