/* The input box: plain messages, and commands as the bot registered them.

   A slash lists the commands. Choosing one turns the box into a form with its options, and Enter sends it. */

import { api } from "./api.js";
import { makeCombobox } from "./combobox.js";
import { byId, h, icon, replace } from "./dom.js";
import { showModal } from "./modals.js";
import { optionField } from "./options.js";
import { addNotice, channelById, changed, userById, removeNotice, store } from "./store.js";

const box = byId("composer");
let chosen = null;
let marked = 0;
let fields = new Map();

const problem = h("div", { class: "form-problem", role: "alert" });
const popup = h("div", { class: "popup" });
const input = h("textarea", { class: "composer-input", rows: "1", maxlength: "2000", "aria-label": "Message" });
const combobox = makeCombobox(input, "commands");
const slash = h("button", { class: "composer-button", type: "button", title: "Commands", onclick: startSlash }, "/");
const plain = h("div", { class: "composer-box" }, slash, input);
const narrow = matchMedia("(max-width: 720px)");
input.addEventListener("input", () => {
  marked = 0;
  problem.textContent = "";
  drawPopup();
});
input.addEventListener("keydown", onKey);

export function drawComposer() {
  const channel = channelById(store.channel);
  const me = userById(store.me)?.name ?? "";
  const place = channel?.recipient ? `@${store.state.bot.name}` : `#${channel?.name ?? ""}`;
  input.placeholder = narrow.matches ? `Message ${place}` : `Message ${place} as ${me}, or type / for commands`;
  if (chosen && !store.commands.some((command) => command.name === chosen.name)) chosen = null;
  if (chosen) return;
  replace(box, popup, plain, problem);
  drawPopup();
}

function startSlash() {
  input.value = "/";
  input.focus();
  drawPopup();
}

const wanted = () => (input.value.startsWith("/") ? input.value.slice(1).toLowerCase() : null);
const matching = () => {
  const text = wanted();
  return text === null
    ? []
    : store.commands.filter((command) => command.name.includes(text.trim()) || text.startsWith(`${command.name} `));
};

function drawPopup() {
  const list = matching();
  const none = wanted() !== null && !list.length;
  popup.hidden = wanted() === null;
  const commands = list.map((command, index) =>
    combobox.option(
      index,
      index === marked,
      () => choose(command),
      h(
        "span",
        { class: "suggestion-name" },
        `/${command.name}`,
        command.options.map((option) =>
          h("span", { class: option.required ? "option required" : "option" }, option.name),
        ),
      ),
      h("span", { class: "muted" }, command.description),
    ),
  );
  const title = none ? noCommand() : `${store.state.bot.name} commands`;
  replace(popup, h("div", { class: "popup-title" }, title), combobox.list(commands));
  combobox.mark(popup.hidden ? null : marked, list.length);
}

function noCommand() {
  return store.commands.length
    ? "No matching commands."
    : "The bot has no commands for you here yet.";
}

function onKey(event) {
  const list = matching();
  if (list.length && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    marked = (marked + (event.key === "ArrowDown" ? 1 : -1) + list.length) % list.length;
    drawPopup();
  } else if (list.length && (event.key === "Enter" || event.key === "Tab")) choose(list[marked]);
  else if (event.key === "Escape") input.value = "";
  else if (event.key === "Enter" && !event.shiftKey) say();
  else return;
  event.preventDefault();
  if (event.key === "Escape") drawPopup();
}

async function say() {
  const text = input.value.trim();
  if (!text || wanted() !== null) return;
  input.value = "";
  await api.say(store.me, store.channel, text).catch(complain);
}

function choose(command) {
  chosen = command;
  input.value = "";
  fields = new Map();
  const row = h("div", { class: "options" });
  const optional = h("div", { class: "optional" });
  const add = (option, focus) => {
    const field = optionField(command, option, read, send);
    fields.set(option.name, field);
    row.append(field.node);
    if (focus) field.focus();
  };
  for (const option of command.options) {
    if (option.required) add(option, false);
    else {
      const chip = h("button", { class: "chip", type: "button", title: option.description }, `+ ${option.name}`);
      chip.addEventListener("click", () => {
        chip.remove();
        add(option, true);
      });
      optional.append(chip);
    }
  }
  const form = h(
    "div",
    { class: "composer-box form" },
    h(
      "div",
      { class: "form-title" },
      h("span", { class: "command" }, `/${command.name}`),
      h("span", { class: "muted" }, command.description),
      h("button", { class: "tool", type: "button", title: "Cancel", onclick: cancel }, icon("close")),
    ),
    row,
    h(
      "div",
      { class: "form-end" },
      optional,
      h(
        "button",
        { class: "button primary", type: "button", onclick: send },
        h("span", { class: "button-content" }, "Send"),
      ),
    ),
  );
  form.addEventListener("keydown", (event) => event.key === "Escape" && cancel());
  form.addEventListener("input", () => (problem.textContent = ""));
  problem.textContent = "";
  replace(box, form, problem);
  const first = fields.values().next().value;
  if (first) first.focus();
  else form.querySelector(".button.primary").focus();
}

function read() {
  const values = {};
  for (const [name, field] of fields) if (field.value() !== "") values[name] = field.value();
  return values;
}

function cancel() {
  chosen = null;
  problem.textContent = "";
  drawComposer();
  input.focus();
}

async function send() {
  const command = chosen;
  const options = read();
  const missing = command.options.find((option) => option.required && !(option.name in options));
  if (missing) {
    complain(new Error(`Enter the ${missing.name}. This option is required.`));
    fields.get(missing.name).focus();
    return;
  }
  cancel();
  const notice = addNotice({ command: command.name });
  try {
    const result = await api.slash(store.me, store.channel, command.name, options);
    removeNotice(notice.id);
    if (result.failed) addNotice({ command: command.name, failed: true, text: "The application did not respond" });
    if (result.modal) showModal(result.id, result.modal);
  } catch (error) {
    removeNotice(notice.id);
    complain(error);
  }
  changed("sent");
}

function complain(error) {
  problem.textContent = error.message;
}
