/* Modals: the forms that a bot opens. The browser's own dialog keeps the focus inside and closes at Esc. */

import { api } from "./api.js";
import { choices } from "./components.js";
import { avatar, byId, h, replace } from "./dom.js";
import { markdown } from "./markdown.js";
import { store } from "./store.js";

export function showModal(interaction, modal) {
  const user = store.me;
  const inputs = new Map();
  const problem = h("div", { class: "form-problem", role: "alert" });
  const submit = h(
    "button",
    { class: "button primary", type: "submit" },
    h("span", { class: "button-content" }, "Submit"),
  );
  const form = h(
    "form",
    { class: "dialog" },
    h("header", {}, avatar(store.state.bot, "small"), h("h2", {}, modal.title)),
    h("p", { class: "warning" }, `This form will be submitted to ${store.state.bot.name} in the sandbox.`),
    h(
      "div",
      { class: "dialog-fields" },
      modal.components.map((part) => field(part, inputs)),
    ),
    problem,
    h("footer", {}, h("button", { class: "button quiet", type: "button", onclick: () => dialog.close() }, "Cancel"), submit),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.classList.add("loading");
    const result = await api.modal(user, interaction, read(inputs)).catch((error) => ({ problem: error.message }));
    submit.classList.remove("loading");
    if (result.problem || result.failed) problem.textContent = result.problem ?? "Something went wrong. Try again.";
    else dialog.close();
  });
  form.addEventListener("input", () => (problem.textContent = ""));
  const dialog = h("dialog", { class: "modal", "aria-label": modal.title }, form);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  replace(byId("overlay"), dialog);
  dialog.showModal();
  form.querySelector("input, textarea, select")?.focus();
}

function field(part, inputs) {
  if (part.type === 18) return labelled(part.label, part.description, part.component, inputs);
  if (part.type === 1) return part.components.map((child) => labelled(child.label, null, child, inputs));
  return h("div", { class: "text" }, markdown(part.content));
}

function labelled(label, description, part, inputs) {
  const required = part.required ?? true;
  const node = part.type === 4 ? input(part, required) : picker(part);
  inputs.set(part.custom_id, node);
  return h(
    "label",
    { class: "field" },
    h("span", { class: "field-label" }, label, required && h("span", { class: "required" }, " *")),
    description && h("span", { class: "field-help" }, description),
    node,
  );
}

function input(part, required) {
  const shared = {
    placeholder: part.placeholder,
    required,
    minlength: part.min_length,
    maxlength: part.max_length ?? 4000,
    value: part.value ?? "",
  };
  return part.style === 2 ? h("textarea", { rows: "4", ...shared }) : h("input", { type: "text", ...shared });
}

function picker(part) {
  return h(
    "select",
    { class: "select", multiple: (part.max_values ?? 1) > 1 },
    choices(part).map(([value, label, chosen]) => h("option", { value, selected: chosen }, label)),
  );
}

function read(inputs) {
  const values = {};
  for (const [id, node] of inputs)
    values[id] = node.tagName === "SELECT" ? [...node.selectedOptions].map((option) => option.value) : node.value;
  return values;
}
