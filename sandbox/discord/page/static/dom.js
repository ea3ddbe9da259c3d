/* Builds DOM nodes.

   Every node is built here, from names and text. innerHTML is never used, so text from users and bots is never parsed
   as markup. */

export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, setting] of Object.entries(value)) node.style.setProperty(key, setting);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/* Makes `children` the content of `node`. Equal nodes stay, so that a redraw never removes a focused field or a button
   under the pointer. */
export function replace(node, ...children) {
  const wanted = children.flat(Infinity).filter(Boolean);
  wanted.forEach((child, place) => {
    const present = node.childNodes[place];
    const fresh = typeof child === "string" ? document.createTextNode(child) : child;
    if (!present) node.append(fresh);
    else if (present !== fresh && !present.isEqualNode(fresh)) present.replaceWith(fresh);
  });
  while (node.childNodes.length > wanted.length) node.lastChild.remove();
}

export const byId = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  hash: "M9 3 7 21M17 3l-2 18M4 9h17M3 15h17",
  at: "M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0zm0 0v1.5a2.5 2.5 0 0 0 5 0V12a9 9 0 1 0-3.5 7.1",
  people:
    "M16 20v-1.5a3.5 3.5 0 0 0-3.5-3.5h-6A3.5 3.5 0 0 0 3 18.5V20M9.5 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM21 20v-1.5a3.5 3.5 0 0 0-2.6-3.4M15.5 4.2a3.5 3.5 0 0 1 0 6.7",
  bolt: "M13 2 4.5 13.5H11L10 22l8.5-11.5H12z",
  eye: "M2 12s3.5-6.5 10-6.5S22 12 22 12s-3.5 6.5-10 6.5S2 12 2 12zm10 2.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6z",
  menu: "M3.5 6h17M3.5 12h17M3.5 18h17",
  close: "M5 5l14 14M19 5 5 19",
  chevron: "M6 9l6 6 6-6",
  external: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  file: "M6 2.5h8l5 5v14H6zM14 2.5V8h5",
  alert: "M12 3 1.8 20.5h20.4zM12 10v5M12 17.6v.4",
  bell: "M12 3.2a1.3 1.3 0 0 1 1.3 1.3v.4A5.2 5.2 0 0 1 17.2 10v3.2l1.5 2.5a.8.8 0 0 1-.7 1.2H6a.8.8 0 0 1-.7-1.2l1.5-2.5V10a5.2 5.2 0 0 1 3.9-5.1v-.4A1.3 1.3 0 0 1 12 3.2zM10 18.8h4a2 2 0 0 1-4 0z",
};
const SOLID = new Set(["bolt", "bell"]);

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", SOLID.has(name) ? "icon solid" : "icon");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

export function initials(name) {
  return [...name.trim()][0]?.toUpperCase() ?? "?";
}

export function avatar(user, size = "") {
  const colour = user?.colour ?? "#5865f2";
  const face = user?.bot ? icon("bell") : initials(user?.name ?? "?");
  return h("div", { class: `avatar ${size}`, style: { "background-color": colour }, "aria-hidden": "true" }, face);
}

export function appTag() {
  return h("span", { class: "app-tag", title: "A bot" }, "APP");
}
