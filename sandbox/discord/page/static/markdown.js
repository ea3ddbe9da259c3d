/* Discord's markdown, as DOM nodes.

   Blocks come first (code, quotes, headings, lists), then markup inside a line. Everything else stays text. */

import { h } from "./dom.js";
import { channelById, jumpTo, open, userById, roleById, store } from "./store.js";
import { timestamp } from "./timestamps.js";

const FENCE = /```(?:[\w+-]*\n)?([\s\S]*?)```\n?/g;

export function markdown(text) {
  const nodes = [];
  let from = 0;
  for (const found of (text ?? "").matchAll(FENCE)) {
    nodes.push(...blocks(text.slice(from, found.index)));
    nodes.push(h("pre", {}, h("code", {}, found[1].replace(/\n$/, ""))));
    from = found.index + found[0].length;
  }
  return [...nodes, ...blocks((text ?? "").slice(from))];
}

function blocks(text) {
  const nodes = [];
  let open = null;
  const lines = text === "" ? [] : text.split("\n");
  for (const [index, line] of lines.entries()) {
    const [kind, content] = classify(line);
    if (kind === "text") {
      open = null;
      nodes.push(...inline(content), index < lines.length - 1 ? h("br") : "");
    } else if (kind === "quote" || kind === "ul" || kind === "ol") {
      if (open?.kind !== kind) {
        open = { kind, node: h(kind === "quote" ? "blockquote" : kind) };
        nodes.push(open.node);
      }
      if (kind === "quote") open.node.append(...inline(content), h("br"));
      else open.node.append(h("li", {}, inline(content)));
    } else {
      open = null;
      nodes.push(h(kind, {}, inline(content)));
    }
  }
  return nodes;
}

function classify(line) {
  const heading = /^(#{1,3}) (.+)/.exec(line);
  if (heading) return [`h${heading[1].length + 2}`, heading[2]];
  const rules = [
    ["small", /^-# (.+)/],
    ["quote", /^> ?(.*)/],
    ["ul", /^\s*[-*] (.+)/],
    ["ol", /^\s*\d+\. (.+)/],
  ];
  for (const [kind, rule] of rules) {
    const found = rule.exec(line);
    if (found) return [kind, found[1]];
  }
  return ["text", line];
}

const MESSAGE_LINK = /https:\/\/discord\.com\/channels\/(?:\d+|@me)\/(\d+)\/(\d+)/y;
const wrap = (tag) => (found) => h(tag, {}, inline(found[1]));
const RULES = [
  [/\\([^\w\s])/y, (found) => found[1]],
  [/`([^`\n]+)`/y, (found) => h("code", {}, found[1])],
  [/<t:(-?\d{1,13})(?::([tTdDfFRsS]))?>/y, (found) => timestamp(Number(found[1]), found[2] ?? "f")],
  [/<@!?(\d+)>/y, (found) => userPill(found[1])],
  [/<@&(\d+)>/y, (found) => h("span", { class: "pill" }, `@${roleById(found[1])?.name ?? "unknown-role"}`)],
  [/<#(\d+)>/y, (found) => channelPill(found[1])],
  [/<a?:(\w+):\d+>/y, (found) => `:${found[1]}:`],
  [/@(everyone|here)\b/y, (found) => h("span", { class: "pill" }, `@${found[1]}`)],
  [/\[([^\]\n]+)\]\((https?:\/\/[^\s)]+)\)/y, (found) => link(found[2], inline(found[1]))],
  [MESSAGE_LINK, (found) => messagePill(found[0], found[1], found[2])],
  [/https?:\/\/[^\s<>]+[^\s<>.,:;"')\]]/y, (found) => link(found[0], [found[0]])],
  [/\*\*\*([\s\S]+?)\*\*\*/y, (found) => h("strong", {}, h("em", {}, inline(found[1])))],
  [/\*\*([\s\S]+?)\*\*(?!\*)/y, wrap("strong")],
  [/__([\s\S]+?)__(?!_)/y, wrap("u")],
  [/~~([\s\S]+?)~~/y, wrap("s")],
  [/\|\|([\s\S]+?)\|\|/y, (found) => spoiler(found[1])],
  [/\*(?!\s)([^*\n]+?)\*/y, wrap("em")],
  [/_(?!\s)([^_\n]+?)_(?!\w)/y, wrap("em")],
];

export function inline(text) {
  const nodes = [];
  let plain = "";
  let at = 0;
  while (at < text.length) {
    const hit = match(text, at);
    if (!hit) {
      plain += text[at++];
      continue;
    }
    if (plain) nodes.push(plain);
    plain = "";
    nodes.push(hit.node);
    at += hit.length;
  }
  return plain ? [...nodes, plain] : nodes;
}

function match(text, at) {
  for (const [rule, make] of RULES) {
    if (rule.source.startsWith("_(") && /\w/.test(text[at - 1] ?? "")) continue;
    rule.lastIndex = at;
    const found = rule.exec(text);
    if (found) return { node: make(found), length: found[0].length };
  }
  return null;
}

function userPill(id) {
  const who = userById(id);
  const mine = id === store.me ? " mine" : "";
  return h("span", { class: `pill${mine}`, title: who ? `Id ${id}` : null }, `@${who?.name ?? "unknown-user"}`);
}

function channelPill(id) {
  const channel = channelById(id);
  if (!channel) return h("span", { class: "pill" }, "#unknown");
  return h("button", { class: "pill", type: "button", onclick: () => open(id) }, `#${channel.name}`);
}

/* Discord shows a link to a message as its channel. */
function messagePill(href, channelId, messageId) {
  const channel = channelById(channelId);
  if (!channel) return link(href, [href]);
  const name = channel.recipient ? `@${userById(channel.recipient)?.name}` : `#${channel.name}`;
  const jump = () => jumpTo(channelId, messageId);
  return h("button", { class: "pill", type: "button", title: href, onclick: jump }, `${name} › 💬`);
}

/* A link, which jumps where it leads to a message of the sandbox. */
export function link(href, content, classes = null) {
  MESSAGE_LINK.lastIndex = 0;
  const found = MESSAGE_LINK.exec(href);
  if (found && channelById(found[1])) {
    const jump = () => jumpTo(found[1], found[2]);
    return h("button", { class: classes ?? "text-link", type: "button", title: href, onclick: jump }, content);
  }
  return h("a", { class: classes, href, target: "_blank", rel: "noopener noreferrer nofollow" }, content);
}

function spoiler(text) {
  const node = h("span", { class: "spoiler", role: "button", tabindex: "0" }, inline(text));
  const show = () => node.classList.add("shown");
  node.addEventListener("click", show);
  node.addEventListener("keydown", (event) => event.key === "Enter" && show());
  return node;
}
