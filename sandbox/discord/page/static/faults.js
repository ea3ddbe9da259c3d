/* The panel that turns faults on, and the banner that shows active ones. */

import { api } from "./api.js";
import { byId, h, icon, replace } from "./dom.js";
import { store } from "./store.js";

const SENDING = { method: "POST", route: "/messages$" };
const PRESETS = [
  ["Discord is down", "Every request fails with a 503", { action: { kind: "status", status: 503 } }],
  [
    "Sent, but 502",
    "Messages are posted, but the bot gets a 502",
    { action: { kind: "status", status: 502, accepted: true }, match: SENDING },
  ],
  [
    "Sent, response lost",
    "Messages are posted, but the bot gets no response",
    { action: { kind: "drop", accepted: true }, match: SENDING },
  ],
  ["No response", "Requests hang for 30 s and do nothing", { action: { kind: "hang", seconds: 30 } }],
  ["Slow", "Every request takes 2 s longer", { action: { kind: "slow", seconds: 2 } }],
  ["Rate limited", "Every request fails with a 429: try again in 5 s", { action: { kind: "too_many", retry_after: 5 } }],
  ["Flaky", "One in three requests fails with a 500", { action: { kind: "status", status: 500 }, probability: 0.33 }],
  [
    "Gateway down",
    "The bot is disconnected and can't reconnect",
    { action: { kind: "refuse_gateway" } },
    { action: { kind: "drop_gateway" } },
  ],
  [
    "Duplicate press",
    "The next command or button reaches the bot twice",
    { action: { kind: "duplicate_interaction" }, times: 1 },
  ],
];
const LASTS = [
  ["10 s", 10],
  ["30 s", 30],
  ["2 min", 120],
  ["Until I stop it", null],
];

const NAMES = { bot: "the bot", controllers: "the controllers" };
const BAD = new Set(["doubled", "missing"]);

let seconds = 30;
let problem = "";

export function toggleFaults() {
  if (document.querySelector(".faults")) return closeFaults();
  const stop = (event) => event.stopPropagation();
  const panel = h("section", { class: "faults", "aria-label": "Faults", tabindex: "-1", onclick: stop });
  byId("app").append(panel);
  drawFaults();
  return panel.focus();
}

export function closeFaults() {
  const panel = document.querySelector(".faults");
  const hadFocus = panel?.contains(document.activeElement);
  panel?.remove();
  if (hadFocus) byId("faults-tool").focus();
}

export function drawFaults() {
  const panel = document.querySelector(".faults");
  if (!panel) return;
  replace(
    panel,
    h(
      "header",
      {},
      h("h2", {}, "Simulate faults"),
      h("button", { class: "tool", type: "button", title: "Close", onclick: closeFaults }, icon("close")),
    ),
    demo(),
    h(
      "div",
      { class: "lasts", role: "radiogroup", "aria-label": "Duration" },
      LASTS.map(([label, value]) =>
        h(
          "button",
          {
            class: value === seconds ? "last current" : "last",
            type: "button",
            role: "radio",
            "aria-checked": String(value === seconds),
            onclick: () => choose(value),
          },
          label,
        ),
      ),
    ),
    h("div", { class: "presets" }, PRESETS.map(preset)),
    problem && h("div", { class: "form-problem", role: "alert" }, problem),
    active(),
    h("footer", {}, `${store.state.evidence} messages and edits so far`),
  );
}

/* In `make demo`: the oracle's figures, and the processes that can be killed. */
function demo() {
  const { processes, figures } = store.state.demo ?? {};
  if (!processes) return null;
  return h(
    "div",
    { class: "demo" },
    h(
      "dl",
      { class: "figures", "aria-label": "Reminders so far" },
      Object.entries(figures ?? {}).map(([name, count]) =>
        h(
          "div",
          { class: BAD.has(name) && count ? "figure bad" : "figure" },
          h("dt", {}, name),
          h("dd", {}, String(count)),
        ),
      ),
    ),
    h("div", { class: "processes" }, processes.map(process)),
  );
}

function process({ name, running, restarts }) {
  const times = restarts === 1 ? "once" : `${restarts} times`;
  const text = !running ? "Killed. Starting again…" : restarts ? `Started again ${times}` : "Running";
  return h(
    "button",
    { class: "preset", type: "button", disabled: !running, onclick: () => kill(name) },
    h("b", {}, `Kill ${NAMES[name] ?? name}`),
    h("span", {}, text),
  );
}

async function kill(name) {
  problem = "";
  try {
    await api.kill(name);
  } catch (error) {
    problem = error.message;
    drawFaults();
  }
}

function choose(value) {
  seconds = value;
  drawFaults();
}

function preset([label, text, ...faults]) {
  return h(
    "button",
    { class: "preset", type: "button", onclick: () => turnOn(label, faults) },
    h("b", {}, label),
    h("span", {}, text),
  );
}

async function turnOn(label, faults) {
  problem = "";
  try {
    for (const fault of faults) await api.addFault({ ...fault, label, ...(seconds === null ? {} : { seconds }) });
  } catch (error) {
    problem = error.message;
    drawFaults();
  }
}

function active() {
  const faults = store.state.faults;
  if (!faults.length) return h("p", { class: "hint" }, "No active faults.");
  return h(
    "div",
    { class: "active" },
    h(
      "div",
      { class: "active-title" },
      h("h3", {}, "Faults so far"),
      h("button", { class: "text-link", type: "button", onclick: () => api.clearFaults() }, "Clear all"),
    ),
    [...faults]
      .reverse()
      .map((fault) =>
        h(
          "div",
          { class: fault.on ? "fault on" : "fault" },
          h("span", { class: "fault-name" }, fault.label || fault.action.kind.replaceAll("_", " ")),
          h("span", { class: "muted" }, `fired ${fault.fired}×`),
          h("span", { class: "muted" }, left(fault)),
          h(
            "button",
            { class: "tool", type: "button", title: "Remove", onclick: () => api.removeFault(fault.id) },
            icon("close"),
          ),
        ),
      ),
  );
}

function left(fault) {
  if (!fault.on) return "ended";
  return fault.seconds_left === null ? "on" : `${Math.ceil(fault.seconds_left)} s left`;
}

/* Counts down between updates from the sandbox, so that the page needn't poll every second. */
export function countDown() {
  for (const fault of store.state?.faults ?? []) {
    if (!fault.on || fault.seconds_left === null) continue;
    fault.seconds_left = Math.max(0, fault.seconds_left - 1);
    fault.on = fault.seconds_left > 0;
  }
  drawFaults();
  drawBanner();
}

export function drawBanner() {
  const on = store.state.faults.filter((fault) => fault.on);
  const text = !store.online
    ? "The sandbox isn't responding. Reconnecting…"
    : on
        .map(
          (fault) => `${fault.label || fault.action.kind.replaceAll("_", " ")} (${left(fault)}, fired ${fault.fired}×)`,
        )
        .join(" · ");
  replace(
    byId("banner"),
    text &&
      h(
        "div",
        { class: "banner" },
        icon("alert"),
        h("span", {}, text),
        store.online && h("button", { class: "text-link", type: "button", onclick: () => api.clearFaults() }, "Stop"),
      ),
  );
}
