/* Buttons, selects and layouts under a message. Clicks are sent as the current user. */

import { api } from "./api.js";
import { h, icon } from "./dom.js";
import { link, markdown } from "./markdown.js";
import { showModal } from "./modals.js";
import { allChannels, allUsers, store } from "./store.js";

const STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link" };

export function components(message) {
  const list = message.components ?? [];
  return list.length
    ? h(
        "div",
        { class: "components" },
        list.map((part) => component(message, part)),
      )
    : null;
}

function component(message, part) {
  const inner = () => (part.components ?? []).map((child) => component(message, child));
  switch (part.type) {
    case 1:
      return h("div", { class: "row" }, inner());
    case 2:
      return button(message, part);
    case 3:
    case 5:
    case 6:
    case 7:
    case 8:
      return select(message, part);
    case 9:
      return h(
        "div",
        { class: "section" },
        h("div", {}, inner()),
        part.accessory && component(message, part.accessory),
      );
    case 10:
      return h("div", { class: "text" }, markdown(part.content));
    case 14:
      return h("hr", { class: part.divider === false ? "gap" : "divider" });
    case 17: {
      const colour = part.accent_color ? `#${part.accent_color.toString(16).padStart(6, "0")}` : "transparent";
      return h("div", { class: "container", style: { "border-left-color": colour } }, inner());
    }
    default:
      return h("div", { class: "muted" }, `(component of type ${part.type})`);
  }
}

function button(message, part) {
  const content = [part.emoji?.name && h("span", { class: "emoji" }, part.emoji.name), part.label].filter(Boolean);
  if (part.style === 5) {
    return /^https?:\/\//.test(part.url ?? "")
      ? link(part.url, [content, icon("external")], "button link")
      : h("span", { class: "button link" }, content);
  }
  const node = h(
    "button",
    { class: `button ${STYLES[part.style] ?? "secondary"}`, type: "button", disabled: part.disabled },
    h("span", { class: "button-content" }, content),
  );
  node.addEventListener("click", () => act(node, message, part.custom_id));
  return node;
}

function select(message, part) {
  const many = (part.max_values ?? 1) > 1;
  const node = h(
    "select",
    { class: "select", multiple: many, disabled: part.disabled, "aria-label": part.placeholder ?? "Choose" },
    !many && h("option", { value: "" }, part.placeholder ?? "Make a selection"),
    choices(part).map(([value, label, chosen]) => h("option", { value, selected: chosen }, label)),
  );
  const chosen = () => [...node.selectedOptions].map((option) => option.value).filter(Boolean);
  node.addEventListener(
    many ? "blur" : "change",
    () => chosen().length && act(node, message, part.custom_id, chosen()),
  );
  return node;
}

export function choices(part) {
  if (part.type === 3)
    return part.options.map((option) => [
      option.value,
      option.label + (option.description ? ` – ${option.description}` : ""),
      option.default,
    ]);
  if (part.type === 8) return allChannels().map((channel) => [channel.id, `#${channel.name}`]);
  const roles = store.state.guilds.flatMap((guild) => guild.roles).map((role) => [role.id, `@${role.name}`]);
  const users = allUsers().map((user) => [user.id, user.name]);
  return part.type === 6 ? roles : part.type === 7 ? [...users, ...roles] : users;
}

async function act(node, message, customId, values) {
  const body = node.closest(".message-body");
  body?.querySelector(".interaction-failed")?.remove();
  node.classList.add("loading");
  let problem = null;
  try {
    const result = await api.click(store.me, message.id, customId, values);
    if (result.failed) problem = "The application did not respond";
    if (result.modal) showModal(result.id, result.modal);
  } catch (error) {
    problem = error.message;
  }
  node.classList.remove("loading");
  if (problem) body?.append(h("div", { class: "interaction-failed", role: "alert" }, problem));
}
