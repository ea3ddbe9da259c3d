/* Times: Discord's <t:…> tokens in the reader's time zone and language, and the times of messages.

   One timer updates all relative times ("in 3 minutes") every second. */

import { h } from "./dom.js";

const STYLES = {
  t: { timeStyle: "short" },
  T: { timeStyle: "medium" },
  d: { dateStyle: "short" },
  D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" },
  F: { dateStyle: "full", timeStyle: "short" },
  s: { dateStyle: "short", timeStyle: "short" },
  S: { dateStyle: "short", timeStyle: "medium" },
};
const STEPS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "always" });

export const format = (date, style) => new Intl.DateTimeFormat(undefined, STYLES[style] ?? STYLES.f).format(date);

export function ago(date, now = Date.now()) {
  const seconds = Math.round((date.getTime() - now) / 1000);
  const [unit, length] = STEPS.find(([, step]) => Math.abs(seconds) >= step) ?? STEPS.at(-1);
  return relative.format(Math.round(seconds / length) || 0, unit);
}

export function timestamp(seconds, style) {
  const date = new Date(seconds * 1000);
  const live = style === "R";
  const data = live ? { relative: String(seconds) } : {};
  return h("time", { class: "timestamp", title: format(date, "F"), data }, live ? ago(date) : format(date, style));
}

export function said(iso) {
  const date = new Date(iso);
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 86_400_000);
  const time = format(date, "t");
  const text = days === 0 ? time : days === 1 ? `Yesterday at ${time}` : format(date, "s");
  return h("time", { class: "said", title: format(date, "F"), datetime: iso }, text);
}

export function tick() {
  const now = Date.now();
  for (const node of document.querySelectorAll("[data-relative]")) {
    const text = ago(new Date(Number(node.dataset.relative) * 1000), now);
    if (node.textContent !== text) node.textContent = text;
  }
}
