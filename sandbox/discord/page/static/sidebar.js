/* Everything around the messages: servers, channels, direct messages, members, and the current user. */

import { api } from "./api.js";
import { toggleFaults } from "./faults.js";
import { appTag, avatar, byId, h, icon, replace } from "./dom.js";
import { switchUser, channelById, guildOf, memberships, open, userById, refresh, store } from "./store.js";

const app = byId("app");
const currentGuild = () => guildOf(channelById(store.channel)) ?? store.state.guilds[0];
export const closeDrawer = () => app.classList.remove("drawer-open");

export function drawRail() {
  const current = currentGuild();
  replace(
    byId("rail"),
    store.state.guilds.map((guild) =>
      h(
        "button",
        {
          class: guild === current ? "guild current" : "guild",
          type: "button",
          title: guild.name,
          onclick: () => open(guild.channels[0]?.id),
        },
        guild.name
          .split(/\s+/)
          .map((word) => word[0])
          .join("")
          .slice(0, 3),
      ),
    ),
  );
}

export function drawSidebar() {
  const guild = currentGuild();
  const pings = [...store.unread.values()].reduce((sum, seen) => sum + seen.pings, 0);
  document.title = `${pings ? `(${pings}) ` : ""}${guild?.name ?? "Discord"} – sandbox`;
  replace(byId("guild-name"), h("h1", {}, guild?.name ?? "No server"));
  replace(
    byId("channels"),
    h("h2", {}, "Text channels"),
    guild?.channels.map((channel) =>
      channelEntry(channel, h("span", { class: "channel-icon" }, icon("hash")), channel.name),
    ),
    h("h2", {}, "Direct messages"),
    store.state.dms.map((channel) =>
      channelEntry(channel, avatar(userById(channel.recipient), "small"), userById(channel.recipient)?.name),
    ),
    !store.state.dms.length && h("p", { class: "hint" }, `${store.state.bot.name} hasn't sent any direct messages yet.`),
  );
  drawUser();
}

function channelEntry(channel, face, name) {
  const unread = store.unread.get(channel.id);
  const current = channel.id === store.channel;
  const classes = ["channel", current && "current", unread?.count && "unread"].filter(Boolean).join(" ");
  const go = () => {
    closeDrawer();
    open(channel.id);
  };
  return h(
    "button",
    { class: classes, type: "button", onclick: go, "aria-current": current && "page" },
    face,
    h("span", { class: "channel-name" }, name),
    unread?.pings > 0 && h("span", { class: "badge", title: unread.pings === 1 ? "1 mention" : `${unread.pings} mentions` }, unread.pings),
  );
}

let choosing = false;

function drawUser() {
  const me = userById(store.me);
  const panel = h(
    "button",
    {
      class: "user-panel",
      type: "button",
      "aria-expanded": String(choosing),
      title: "Switch user",
      onclick: toggle,
    },
    avatar(me),
    h(
      "span",
      { class: "user-panel-text" },
      h("span", { class: "user-name" }, me.name),
      h("span", { class: "muted" }, roleName(me.id) || "Member"),
    ),
    h("span", { class: "switch" }, "Switch", icon("chevron")),
  );
  replace(byId("user"), panel, choosing && userMenu());
}

function toggle(event) {
  event.stopPropagation();
  choosing = !choosing;
  drawUser();
  byId("user").querySelector(".user-panel").focus(); // it was drawn again
}

export function closeUserMenu() {
  if (!choosing) return;
  const hadFocus = byId("user").contains(document.activeElement);
  choosing = false;
  drawUser();
  if (hadFocus) byId("user").querySelector(".user-panel").focus();
}

export function roleName(id) {
  const roles = memberships(id);
  if (roles.some((member) => member.owner)) return "Owner";
  return roles.some((member) => member.manager) ? "Manager" : "";
}

function userMenu() {
  return h(
    "div",
    { class: "user-menu", role: "group", "aria-label": "Users", onclick: (event) => event.stopPropagation() },
    h("h2", {}, "Switch user"),
    store.state.users.map((user) =>
      h(
        "div",
        { class: user.id === store.me ? "user-entry current" : "user-entry" },
        h(
          "button",
          { class: "user-pick", type: "button", onclick: () => pickUser(user.id) },
          avatar(user, "small"),
          h("span", { class: "user-entry-name" }, user.name),
          h("span", { class: "muted" }, roleName(user.id)),
        ),
        h(
          "button",
          {
            class: user.dms_closed ? "dm-switch closed" : "dm-switch",
            type: "button",
            title: "Allow or block direct messages from the bot",
            onclick: () => switchDms(user),
          },
          user.dms_closed ? "DMs closed" : "DMs open",
        ),
      ),
    ),
  );
}

function pickUser(id) {
  choosing = false;
  switchUser(id);
}

async function switchDms(user) {
  await api.world({ do: "close_dms", user: user.id, closed: !user.dms_closed });
  await refresh();
}

export function drawHeader() {
  const channel = channelById(store.channel);
  const who = channel?.recipient && userById(channel.recipient);
  const on = store.state.faults.filter((fault) => fault.on).length;
  const faults = h(
    "button",
    { class: on ? "tool alert" : "tool", type: "button", id: "faults-tool", title: "Simulate faults" },
    icon("bolt"),
    h("span", { class: "tool-text" }, "Faults"),
    on > 0 && h("span", { class: "badge" }, on),
  );
  faults.addEventListener("click", (event) => {
    event.stopPropagation();
    toggleFaults();
  });
  replace(
    byId("header"),
    h(
      "button",
      { class: "tool menu", type: "button", title: "Channels", onclick: () => app.classList.toggle("drawer-open") },
      icon("menu"),
    ),
    h("span", { class: "header-icon" }, icon(who ? "at" : "hash")),
    h("h1", {}, who ? store.state.bot.name : (channel?.name ?? "No channel")),
    h("span", { class: "topic" }, who ? `with ${who.name}` : (channel?.topic ?? "")),
    faults,
    h(
      "button",
      {
        class: "tool members-tool",
        type: "button",
        title: "Members",
        onclick: () => app.classList.toggle("members-hidden"),
      },
      icon("people"),
    ),
  );
}

export function drawMembers() {
  const guild = currentGuild();
  const members = (guild?.members ?? []).filter((member) => member.id !== store.state.bot.id);
  const groups = [
    ["Apps", [{ id: store.state.bot.id }]],
    ["Owner and managers", members.filter((member) => member.owner || member.manager)],
    ["Members", members.filter((member) => !member.owner && !member.manager)],
  ];
  replace(
    byId("members"),
    groups.map(([title, list]) => list.length > 0 && [h("h2", {}, `${title} — ${list.length}`), list.map(memberEntry)]),
  );
}

function memberEntry({ id }) {
  const who = userById(id);
  const offline = who.bot && !who.online;
  return h(
    "div",
    { class: offline ? "member offline" : "member" },
    h("div", { class: "presence" }, avatar(who, "small"), h("span", { class: offline ? "dot off" : "dot" })),
    h(
      "span",
      { class: "member-name" },
      who.name,
      who.bot && appTag(),
      who.bot && h("span", { class: "member-note" }, offline ? "Offline" : "Listening for commands"),
    ),
    who.dms_closed && h("span", { class: "muted small" }, "DMs closed"),
  );
}
