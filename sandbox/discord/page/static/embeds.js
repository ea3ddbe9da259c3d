/* Embeds and attachments. */

import { h, icon } from "./dom.js";
import { inline, link, markdown } from "./markdown.js";
import { format } from "./timestamps.js";

const web = (url) => (/^https?:\/\//.test(url ?? "") ? url : null);

export function embed(data) {
  const colour = `#${(data.color ?? 0x1e1f22).toString(16).padStart(6, "0")}`;
  return h(
    "article",
    { class: "embed", style: { "border-left-color": colour } },
    h(
      "div",
      { class: "embed-body" },
      data.author && h("div", { class: "embed-author" }, data.author.name),
      data.title && h("div", { class: "embed-title" }, titled(data)),
      data.description && h("div", { class: "embed-text" }, markdown(data.description)),
      fields(data.fields ?? []),
      web(data.image?.url) && h("img", { class: "embed-image", src: data.image.url, alt: "", loading: "lazy" }),
      footer(data),
    ),
    web(data.thumbnail?.url) &&
      h("img", { class: "embed-thumbnail", src: data.thumbnail.url, alt: "", loading: "lazy" }),
  );
}

function titled(data) {
  const url = web(data.url);
  return url
    ? link(url, inline(data.title))
    : inline(data.title);
}

/* Up to three inline fields share a row. Other fields take a row each. */
function fields(list) {
  if (!list.length) return null;
  return h(
    "div",
    { class: "embed-fields" },
    list.map((field, index) =>
      h(
        "div",
        { class: "embed-field", style: { "grid-column": field.inline ? column(list, index) : "1 / 13" } },
        h("div", { class: "embed-field-name" }, inline(field.name)),
        h("div", { class: "embed-text" }, markdown(field.value)),
      ),
    ),
  );
}

function column(list, index) {
  let start = index;
  while (start > 0 && list[start - 1].inline) start -= 1;
  let end = index;
  while (end + 1 < list.length && list[end + 1].inline) end += 1;
  const place = (index - start) % 3;
  const inRow = Math.min(3, end - start + 1 - Math.floor((index - start) / 3) * 3);
  const width = 12 / Math.max(inRow, 2);
  return `${1 + place * width} / ${1 + (place + 1) * width}`;
}

function footer(data) {
  const parts = [data.footer?.text, data.timestamp && format(new Date(data.timestamp), "s")].filter(Boolean);
  return parts.length ? h("div", { class: "embed-footer" }, parts.join(" • ")) : null;
}

export function attachment(data) {
  const address = new URL(data.url, location.href);
  const size = data.size < 1024 ? `${data.size} bytes` : `${(data.size / 1024).toFixed(1)} KB`;
  return h(
    "a",
    { class: "attachment", href: address.pathname, download: data.filename },
    icon("file"),
    h("span", {}, h("span", { class: "attachment-name" }, data.filename), h("span", { class: "muted" }, size)),
  );
}
