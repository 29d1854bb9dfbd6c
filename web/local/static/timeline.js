// Draws operations over time.  What there is to draw, and what it means, the server says.

import { make } from "/local/static/dom.js";

const FRAME_MS = 100; // how often what is under way grows
const KEPT = 20; // operations under one chat
const STATES = {
  planned: "planned",
  running: "running",
  done: "",
  cut: "cut",
  succeeded: "done",
  kept: "done, kept",
  reused: "known already",
  failed: "failed",
  timed_out: "timed out",
  cut_off: "cut off",
  unknown: "outcome unknown",
  skipped: "skipped",
  undone: "undone",
};

export class Timeline {
  #list;
  #summary; // the words of the newest, which a screen reader is told when they change
  #drawings = new Map(); // id -> {element, drawing}
  #growing = 0;

  constructor(list, summary) {
    this.#list = list;
    this.#summary = summary;
  }

  show(drawing) {
    const element = make("section", { className: `operation ${drawing.state}`, label: titleOf(drawing) });
    const known = this.#drawings.get(drawing.id);
    if (known) known.element.replaceWith(element);
    else this.#list.prepend(element);
    this.#drawings.set(drawing.id, { element, drawing });
    fill(element, drawing);
    // The same words once more would be read out once more.
    const summary = summaryOf(drawing);
    if (this.#summary.textContent !== summary) this.#summary.textContent = summary;
    this.#forget();
    this.#grow();
  }

  // What a process that is gone was doing will never end on this page.
  stop() {
    for (const { element, drawing } of this.#drawings.values()) {
      if (drawing.ended !== null) continue;
      this.show({ ...drawing, ended: nowSeconds(), state: "suspended", said: "Goes on after the restart" });
    }
  }

  #forget() {
    for (const id of this.#drawings.keys()) {
      if (this.#drawings.size <= KEPT) return;
      this.#drawings.get(id).element.remove();
      this.#drawings.delete(id);
    }
  }

  #grow() {
    clearTimeout(this.#growing);
    const running = [...this.#drawings.values()].filter(({ drawing }) => drawing.ended === null);
    if (!running.length) return;
    running.forEach(({ element, drawing }) => place(element, drawing));
    this.#growing = setTimeout(() => this.#grow(), FRAME_MS);
  }
}

const nowSeconds = () => Date.now() / 1000;
const titleOf = ({ title }) => `Operation: ${title || "a message"}`;

function summaryOf({ state, said, rows }) {
  const skipped = rows.filter((row) => row.kind === "call" && row.state === "skipped").length;
  const kept = rows.filter((row) => row.kind === "call" && row.state === "kept").length;
  const counts = [kept ? `${kept} kept` : "", skipped ? `${skipped} skipped` : ""].filter(Boolean);
  return state === "running" ? said || "At work" : [said, ...counts].join(", ");
}

// Rows --------------------------------------------------------------------------------------------------

function fill(element, drawing) {
  const words = drawing.state === "running" ? drawing.said || "at work" : summaryOf(drawing);
  element.append(
    make(
      "div",
      { className: "operation-head" },
      make("span", { className: "operation-title", dir: "auto", textContent: drawing.title || "a message" }),
      make("span", { className: "operation-said", textContent: words }),
      make("span", { className: "operation-took" }),
    ),
  );
  const chart = make("div", { className: "chart", role: "list", label: "Plan, waves and calls" });
  let wave = 0;
  for (const row of drawing.rows) {
    if (row.wave && row.wave !== wave) {
      wave = row.wave;
      chart.append(waveOf(wave, drawing.rows));
    }
    chart.append(rowOf(row));
  }
  if (drawing.boundary !== null) chart.append(make("div", { className: "boundary", title: "interrupted here" }));
  element.append(chart);
  place(element, drawing);
}

function waveOf(number, rows) {
  const calls = rows.filter((row) => row.wave === number);
  const skipped = calls.every((row) => row.state === "skipped");
  const words = `wave ${number}${skipped ? " · skipped" : ""}`;
  return make("div", { className: "wave", role: "listitem", textContent: words });
}

function rowOf({ kind, label, tool, state, error }) {
  const words = STATES[state] ?? state;
  return make(
    "div",
    { className: `row ${kind} ${state}`, role: "listitem", title: [tool, error].filter(Boolean).join(": ") },
    make("span", { className: "row-label", textContent: label }),
    make("span", { className: "track" }, make("span", { className: "bar" })),
    make("span", { className: "row-said", textContent: words }),
  );
}

// Places on the scale -----------------------------------------------------------------------------------

function place(element, drawing) {
  const end = drawing.ended ?? Math.max(nowSeconds(), drawing.began);
  const length = Math.max(end - drawing.began, 0.001);
  const part = (at) => Math.min(Math.max((at - drawing.began) / length, 0), 1);
  const bars = element.querySelectorAll(".bar");
  drawing.rows.forEach((row, index) => {
    const bar = bars[index];
    bar.hidden = row.began === null;
    if (bar.hidden) return;
    const from = part(row.began);
    bar.style.left = `${100 * from}%`;
    bar.style.width = `${100 * (part(row.ended ?? end) - from)}%`;
  });
  const boundary = element.querySelector(".boundary");
  if (boundary) boundary.style.setProperty("--part", part(drawing.boundary));
  element.querySelector(".operation-took").textContent = length < 0.1 ? `${Math.round(length * 1000)} ms` : `${length.toFixed(1)} s`;
}
