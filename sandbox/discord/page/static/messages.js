/* The messages of the open channel, grouped by author. A message is redrawn when it changes. */

import { components } from "./components.js";
import { appTag, avatar, byId, h, icon, replace } from "./dom.js";
import { attachment, embed } from "./embeds.js";
import { inline, markdown } from "./markdown.js";
import {
  channelById,
  guildOf,
  jumpTo,
  loadOlder,
  mayISee,
  pingsMe,
  removeNotice,
  store,
  userById,
} from "./store.js";
import { format, said } from "./timestamps.js";

const TOGETHER = 7 * 60_000;
const NEAR_END = 120;
const HIGHLIGHTED = 2000;
const list = byId("messages");

const visible = () => (store.messages.get(store.channel) ?? []).filter(mayISee);
const notices = () => store.notices.filter((entry) => entry.channel === store.channel && entry.user === store.me);

export function drawAll() {
  drawList();
  toEnd();
}

/* Older messages appear above those that are shown, which stay where they are. */
export function drawOlder() {
  const fromEnd = list.scrollHeight - list.scrollTop;
  drawList();
  list.scrollTop = list.scrollHeight - fromEnd;
}

function drawList() {
  const shown = visible();
  const nodes = store.complete.has(store.channel) ? [beginning()] : [];
  shown.forEach((message, index) => nodes.push(...entry(message, shown[index - 1])));
  replace(list, nodes, notices().map(notice));
}

export function showMessage(id) {
  const item = byId(`m${id}`);
  following = false;
  item?.scrollIntoView({ block: "center" });
  item?.classList.add("found");
  setTimeout(() => item?.classList.remove("found"), HIGHLIGHTED);
}

export function drawNew(message) {
  if (message.channel_id !== store.channel || !mayISee(message)) return;
  const near = following || mine(message);
  const shown = visible();
  const nodes = entry(message, shown.at(-2));
  const firstNotice = list.querySelector(".notice");
  for (const node of nodes) list.insertBefore(node, firstNotice);
  if (near) toEnd();
}

export function drawEdited(message) {
  if (message.channel_id !== store.channel) return;
  const old = byId(`m${message.id}`);
  if (!old) return;
  const near = following;
  const shown = visible();
  const place = shown.findIndex((known) => known.id === message.id);
  old.replaceWith(entry(message, shown[place - 1]).at(-1));
  if (near) toEnd();
}

export function drawNotices() {
  for (const old of list.querySelectorAll(".notice")) old.remove();
  list.append(...notices().map(notice));
  toEnd();
}

/* A list that is scrolled to the end stays there when it, or the box below it, grows. */
let following = true;
list.addEventListener("scroll", () => {
  following = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END;
  if (list.scrollTop < NEAR_END && !loading) load();
});

let loading = false;
async function load() {
  loading = true;
  await loadOlder(store.channel).catch(() => false); // the banner says that the sandbox does not respond
  loading = false;
}

new ResizeObserver(() => following && toEnd()).observe(list);
const toEnd = () => {
  following = true;
  list.scrollTop = list.scrollHeight;
};

function beginning() {
  const channel = channelById(store.channel);
  if (!channel) return h("div", { class: "beginning" }, h("h1", {}, "Nothing here yet"));
  const who = channel.recipient ? userById(channel.recipient) : null;
  const face = who ? avatar(store.state.bot, "huge") : h("div", { class: "beginning-icon" }, icon("hash"));
  const title = who ? store.state.bot.name : `Welcome to #${channel.name}!`;
  const text = who
    ? `This is the start of the direct messages between ${store.state.bot.name} and ${who.name}.`
    : `This is the start of #${channel.name} in ${guildOf(channel)?.name ?? "this server"}. ${channel.topic}`;
  return h("div", { class: "beginning" }, face, h("h1", {}, title), h("p", {}, text));
}

/* The entries of a message. The first message of a day gets a divider. */
function entry(message, before) {
  const date = new Date(message.timestamp);
  const newDay = !before || new Date(before.timestamp).toDateString() !== date.toDateString();
  const head = newDay || !follows(message, before);
  const item = h(
    "div",
    { id: `m${message.id}`, class: classes(message, head) },
    message.interaction || message.message_reference ? origin(message) : null,
    head ? avatar(userById(message.author.id)) : h("div", { class: "gutter" }, said(message.timestamp)),
    h("div", { class: "message-body" }, head && title(message), body(message)),
  );
  return newDay ? [h("div", { class: "day", role: "separator" }, h("span", {}, format(date, "D"))), item] : [item];
}

const mine = (message) => message.author.id === store.me || message.interaction?.user.id === store.me;

function follows(message, before) {
  return (
    before.author.id === message.author.id &&
    !message.interaction &&
    !message.message_reference &&
    before.sandbox.visible_to === message.sandbox.visible_to &&
    new Date(message.timestamp) - new Date(before.timestamp) < TOGETHER
  );
}

function classes(message, head) {
  const names = ["message", head ? "head" : "tail"];
  if (message.sandbox.visible_to !== null) names.push("ephemeral");
  else if (pingsMe(message) && message.sandbox.recipient === null) names.push("pings-me");
  return names.join(" ");
}

function title(message) {
  const author = userById(message.author.id);
  return h(
    "div",
    { class: "message-title" },
    h("span", { class: author?.bot ? "author" : "author human" }, author?.name ?? message.author.username),
    message.author.bot && appTag(),
    said(message.timestamp),
  );
}

/* The origin of a message: the command that was used, or the message it replies to. */
function origin(message) {
  if (message.interaction) {
    const who = userById(message.interaction.user.id);
    return h(
      "div",
      { class: "origin" },
      avatar(who, "tiny"),
      h("b", {}, who?.name),
      " used ",
      h("span", { class: "command" }, `/${message.interaction.name}`),
    );
  }
  const answered = message.referenced_message;
  const who = answered && userById(answered.author.id);
  const text = answered ? answered.content || answered.embeds[0]?.title || "a message" : "Original message was deleted";
  const jump = () => answered && jumpTo(message.channel_id, answered.id);
  return h(
    "button",
    { class: "origin", type: "button", onclick: jump },
    who && avatar(who, "tiny"),
    who && h("b", {}, who.name),
    who && " ",
    h("span", { class: "snippet" }, plain(text)),
  );
}

/* A text as one line without markup: a button may not contain the links and buttons that the markup would make. */
const plain = (text) => h("span", {}, inline(text.replaceAll("\n", " "))).textContent;

function body(message) {
  if (message.sandbox.loading) {
    const dots = h("span", { class: "thinking-dots" }, h("i"), h("i"), h("i"));
    return [h("div", { class: "thinking" }, dots, `${userById(message.author.id)?.name} is thinking…`), onlyYou(message)];
  }
  return [
    message.content &&
      h(
        "div",
        { class: "text" },
        markdown(message.content),
        message.edited_timestamp &&
          h("span", { class: "edited", title: format(new Date(message.edited_timestamp), "F") }, " (edited)"),
      ),
    message.embeds.map(embed),
    message.attachments.map(attachment),
    components(message),
    onlyYou(message),
  ];
}

function onlyYou(message) {
  if (message.sandbox.visible_to === null) return null;
  const dismiss = () => {
    store.dismissed.add(message.id);
    drawAll();
  };
  return h(
    "div",
    { class: "only-you" },
    icon("eye"),
    "Only you can see this • ",
    h("button", { class: "text-link", type: "button", onclick: dismiss }, "Dismiss message"),
  );
}

/* Notices of the page about a command: it was sent, or the bot did not respond. */
function notice(entry) {
  const who = userById(entry.user);
  const body = entry.failed
    ? h(
        "div",
        { class: "interaction-failed" },
        entry.text,
        " ",
        h("button", { class: "text-link", type: "button", onclick: () => removeNotice(entry.id) }, "Dismiss"),
      )
    : h(
        "div",
        { class: "thinking" },
        h("span", { class: "thinking-dots" }, h("i"), h("i"), h("i")),
        "Sending command…",
      );
  return h(
    "div",
    { class: "message head notice" },
    h(
      "div",
      { class: "origin" },
      avatar(who, "tiny"),
      h("b", {}, who?.name),
      " used ",
      h("span", { class: "command" }, `/${entry.command}`),
    ),
    avatar(store.state.bot),
    h(
      "div",
      { class: "message-body" },
      h("div", { class: "message-title" }, h("span", { class: "author" }, store.state.bot.name), appTag()),
      body,
    ),
  );
}
