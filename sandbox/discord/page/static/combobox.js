/* The roles of an input with a list of suggestions, which assistive technology reads.

   Source: https://www.w3.org/WAI/ARIA/apg/patterns/combobox/ */

import { h } from "./dom.js";

let made = 0;

export function makeCombobox(input, label) {
  const id = `suggestions-${++made}`;
  const list = h("div", { id, class: "suggestions", role: "listbox", "aria-label": label });
  const attributes = { role: "combobox", "aria-autocomplete": "list", "aria-controls": id, "aria-expanded": "false" };
  for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);
  return {
    /* The list with these options. */
    list: (options) => {
      list.replaceChildren(...options);
      return list;
    },
    option: (index, marked, pick, ...content) =>
      h(
        "div",
        {
          id: `${id}-${index}`,
          class: marked ? "suggestion marked" : "suggestion",
          role: "option",
          "aria-selected": String(marked),
          onmousedown: (event) => event.preventDefault(), // the input keeps the focus
          onclick: pick,
        },
        content,
      ),
    /* Say which option is marked, or with null that the list is closed. */
    mark: (index, count) => {
      const open = index !== null && count > 0;
      input.setAttribute("aria-expanded", String(open));
      if (open) input.setAttribute("aria-activedescendant", `${id}-${index}`);
      else input.removeAttribute("aria-activedescendant");
      list.querySelector(".marked")?.scrollIntoView({ block: "nearest" });
    },
  };
}
