/* The page's state: the world as last received, the messages of opened channels, the current user and channel. */

import { api, PAGE } from "./api.js";

const asked = new URLSearchParams(location.search);
const listeners = [];
let noticed = 0;

export const store = {
  state: null,
  me: null,
  channel: null,
  commands: [],
  messages: new Map(),
  complete: new Set(),
  unread: new Map(),
  dismissed: new Set(),
  notices: [],
  online: true,
};

export const onChange = (listener) => listeners.push(listener);

export function changed(what, detail) {
  for (const listener of listeners) listener(what, detail);
}

export const userById = (id) =>
  store.state.bot.id === id ? store.state.bot : store.state.users.find((user) => user.id === id);
export const allUsers = () => [store.state.bot, ...store.state.users];
export const allChannels = () => store.state.guilds.flatMap((guild) => guild.channels);
export const channelById = (id) =>
  allChannels().find((channel) => channel.id === id) ?? store.state.dms.find((channel) => channel.id === id);
export const guildOf = (channel) => store.state.guilds.find((guild) => guild.id === channel?.guild);
export const roleById = (id) => store.state.guilds.flatMap((guild) => guild.roles).find((role) => role.id === id);
export const memberships = (user) =>
  store.state.guilds.flatMap((guild) => guild.members.filter((member) => member.id === user));

export const mayISee = (message) =>
  message.sandbox.visible_to === null || (message.sandbox.visible_to === store.me && !store.dismissed.has(message.id));
export const pingsMe = (message) => message.author.id !== store.me && message.sandbox.pings.includes(store.me);

export async function refresh() {
  store.state = await api.state();
  store.me ??= (store.state.users.find((user) => user.name === asked.get("user")) ?? store.state.users[0]).id;
  if (store.channel && !channelById(store.channel)) await open(allChannels()[0]?.id ?? null);
  changed("world");
}

export async function refreshCommands() {
  store.commands = store.channel ? await api.commands(store.me, store.channel).catch(() => []) : [];
  changed("commands");
}

/* The initial view: the user and channel from the address, otherwise the first user in the first channel. */
export async function begin() {
  await refresh();
  const wanted = asked.get("channel");
  const channel = allChannels().find((channel) => channel.name === wanted) ?? channelById(wanted) ?? allChannels()[0];
  await open(channel?.id ?? null);
}

/* Opens a channel. Direct messages are shown as their recipient. */
export async function open(id) {
  const channel = channelById(id);
  store.channel = id;
  if (channel?.recipient) store.me = channel.recipient;
  store.unread.delete(id);
  if (id && !store.messages.has(id)) {
    const newest = await api.messages(id);
    if (newest.length < PAGE) store.complete.add(id);
    store.messages.set(id, newest);
  }
  remember();
  changed("channel");
  await refreshCommands();
}

/* Loads the messages before the first one that is known. Returns whether there were any. */
export async function loadOlder(channel) {
  const known = store.messages.get(channel) ?? [];
  if (!known.length || store.complete.has(channel)) return false;
  const older = await api.messages(channel, known[0].id);
  if (older.length < PAGE) store.complete.add(channel);
  store.messages.set(channel, [...older, ...(store.messages.get(channel) ?? [])]);
  if (channel === store.channel && older.length) changed("older");
  return older.length > 0;
}

/* Opens a channel at a message, loading older ones until it is there. */
export async function jumpTo(channel, message) {
  await open(channel);
  const isKnown = () => store.messages.get(channel).some((known) => known.id === message);
  while (!isKnown() && (await loadOlder(channel)));
  if (isKnown()) changed("jump", message);
}

export async function switchUser(id) {
  const channel = channelById(store.channel);
  store.me = id;
  store.unread.clear();
  if (channel?.recipient && channel.recipient !== id) return open(allChannels()[0].id);
  remember();
  changed("channel");
  return refreshCommands();
}

/* Reloads everything after the stream was interrupted, because it is unknown what was missed. */
export async function reload() {
  store.messages.clear();
  store.complete.clear();
  await refresh();
  if (store.channel) await open(store.channel);
}

export function addMessage(message) {
  const channel = message.channel_id;
  store.messages.get(channel)?.push(message);
  if (channel !== store.channel) note(message);
  changed("message", message);
}

export function updateMessage(message) {
  const list = store.messages.get(message.channel_id);
  const place = list?.findIndex((known) => known.id === message.id) ?? -1;
  if (place >= 0) list[place] = message;
  changed("edit", message);
}

export function removeMessage({ id, channel_id }) {
  const list = store.messages.get(channel_id);
  if (list)
    store.messages.set(
      channel_id,
      list.filter((known) => known.id !== id),
    );
  changed("delete", { id, channel_id });
}

export function addNotice(notice) {
  noticed += 1;
  store.notices.push({ id: noticed, channel: store.channel, user: store.me, ...notice });
  changed("notices");
  return store.notices.at(-1);
}

export function removeNotice(id) {
  store.notices = store.notices.filter((notice) => notice.id !== id);
  changed("notices");
}

function note(message) {
  if (!mayISee(message)) return;
  const seen = store.unread.get(message.channel_id) ?? { count: 0, pings: 0 };
  const forOwner = message.sandbox.recipient !== null && message.author.bot;
  store.unread.set(message.channel_id, {
    count: seen.count + 1,
    pings: seen.pings + (pingsMe(message) || forOwner ? 1 : 0),
  });
}

function remember() {
  const channel = channelById(store.channel);
  const values = { user: userById(store.me)?.name ?? "" };
  if (channel) values.channel = channel.recipient ? channel.id : channel.name;
  history.replaceState(null, "", `?${new URLSearchParams(values)}`);
}
