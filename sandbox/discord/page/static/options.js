/* The field for one option of a command: text, choices, users, channels, roles, or the bot's suggestions. */

import { api } from "./api.js";
import { makeCombobox } from "./combobox.js";
import { h } from "./dom.js";
import { allChannels, allUsers, guildOf, channelById, store } from "./store.js";

const TYPE_AHEAD = 200;
const HINTS = { 3: "text", 4: "number", 10: "number" };

export function optionField(command, option, read, send) {
  const fixed = fixedChoices(option);
  const input = h("input", {
    class: "option-input",
    type: "text",
    inputmode: option.type === 4 ? "numeric" : null,
    maxlength: option.max_length,
    placeholder: fixed ? "choose" : (HINTS[option.type] ?? ""),
    autocomplete: "off",
    "aria-label": option.name,
  });
  const popup = h("div", { class: "popup option-popup", hidden: true });
  const help = h("div", { class: "option-help" }, h("b", {}, option.name), ` ${option.description}`);
  const combobox = makeCombobox(input, `Suggestions for ${option.name}`);
  const field = { picked: null, marked: 0, list: [], input, popup, combobox };
  const show = async () => {
    field.list = fixed
      ? filter(fixed, input.value)
      : option.autocomplete
        ? await suggest(command, option, input, read)
        : [];
    drawList(field, help);
  };
  let waiting = 0;
  input.addEventListener("focus", show);
  input.addEventListener("blur", () => close(field));
  input.addEventListener("input", () => {
    field.picked = null;
    clearTimeout(waiting);
    waiting = setTimeout(show, fixed ? 0 : TYPE_AHEAD);
  });
  input.addEventListener("keydown", (event) => onKey(event, field, help, send));
  const node = h("label", { class: "option-field" }, h("span", { class: "option-name" }, option.name), input, popup);
  return {
    node,
    focus: () => input.focus(),
    value: () => field.picked ?? resolve(fixed, input.value.trim()),
  };
}

function fixedChoices(option) {
  if (option.choices?.length) return option.choices.map((choice) => [choice.value, choice.name]);
  const roles = () => (guildOf(channelById(store.channel))?.roles ?? []).map((role) => [role.id, role.name]);
  const users = () => allUsers().map((user) => [user.id, user.name]);
  const lists = {
    5: () => [
      ["true", "True"],
      ["false", "False"],
    ],
    6: users,
    7: () => allChannels().map((channel) => [channel.id, `#${channel.name}`]),
    8: roles,
    9: () => [...users(), ...roles()],
  };
  return lists[option.type]?.() ?? null;
}

const filter = (list, text) =>
  list.filter(([, label]) => String(label).toLowerCase().includes(text.trim().toLowerCase())).slice(0, 25);

function resolve(fixed, text) {
  const found = fixed?.find(([, label]) => String(label).toLowerCase() === text.toLowerCase());
  return found ? found[0] : text;
}

async function suggest(command, option, input, read) {
  const options = { ...read(), [option.name]: input.value };
  const result = await api.autocomplete(store.me, store.channel, command.name, option.name, options).catch(() => null);
  return (result?.choices ?? []).map((choice) => [choice.value, choice.name]);
}

function drawList(field, help) {
  field.marked = Math.min(field.marked, Math.max(0, field.list.length - 1));
  field.popup.hidden = document.activeElement !== field.input;
  const options = field.list.map((choice, index) =>
    field.combobox.option(index, index === field.marked, () => pick(field, choice), String(choice[1])),
  );
  field.popup.replaceChildren(help, field.combobox.list(options));
  field.combobox.mark(field.popup.hidden ? null : field.marked, options.length);
}

function pick(field, [value, label]) {
  field.input.value = label;
  field.picked = value;
  close(field);
}

function close(field) {
  field.popup.hidden = true;
  field.combobox.mark(null, 0);
}

function onKey(event, field, help, send) {
  const open = !field.popup.hidden && field.list.length > 0;
  if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    field.marked = (field.marked + (event.key === "ArrowDown" ? 1 : -1) + field.list.length) % field.list.length;
    drawList(field, help);
  } else if (open && event.key === "Enter" && field.picked === null && (field.input.value || field.marked))
    pick(field, field.list[field.marked]);
  else if (open && event.key === "Tab" && field.input.value && field.picked === null)
    return pick(field, field.list[field.marked]);
  else if (event.key === "Enter") send();
  else return undefined;
  return event.preventDefault();
}
