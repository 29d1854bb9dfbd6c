// The parts of a message that are more than words: files, choices, places, cards, templates.

import { button, icon, make } from "/local/static/dom.js";

// What of a message is shown before its words, and after them.  `choose` sends a choice as the user.
export function partsBefore({ file, header, template }) {
  return [
    header ? make("div", { className: "heading", dir: "auto", textContent: header }) : null,
    file ? fileOf(file) : null,
    template ? templateOf(template) : null,
  ];
}

export function partsAfter({ footer, location, contacts, buttons, list }, choose) {
  return [
    location ? placeOf(location) : null,
    ...(contacts ?? []).map(cardOf),
    footer ? make("div", { className: "fine", dir: "auto", textContent: footer }) : null,
    buttons ? buttonsOf(buttons, choose) : null,
    list ? listOf(list, choose) : null,
  ];
}

// Files -------------------------------------------------------------------------------------------------

function fileOf({ kind, id, link, name, size, type }) {
  const known = size !== undefined;
  const href = known ? `/local/files/${encodeURIComponent(id)}` : safeLink(link);
  const shown = name || (link ? link.split("/").pop() : "") || kind;
  if (known && type.startsWith("image/")) {
    const picture = make("img", { className: "picture", src: href, alt: shown });
    return make("a", { className: "media", href, download: shown, label: `Download ${shown}` }, picture);
  }
  const facts = [kind, known ? sizeOf(size) : id ? "not kept here" : "from the web"].join(" · ");
  const words = make(
    "span",
    { className: "file-words" },
    make("span", { className: "file-name", dir: "auto", textContent: shown }),
    make("span", { className: "fine", textContent: facts }),
  );
  if (!href) return make("div", { className: "file" }, icon("file", "sign"), words);
  const link_ = make("a", { className: "file", href }, icon("file", "sign"), words);
  if (known) Object.assign(link_, { download: shown });
  else Object.assign(link_, { target: "_blank", rel: "noopener noreferrer" });
  link_.setAttribute("aria-label", known ? `Download ${shown}, ${sizeOf(size)}` : `Open ${shown} on the web`);
  return link_;
}

function safeLink(link) {
  try {
    const url = new URL(link);
    return ["http:", "https:"].includes(url.protocol) ? url.href : "";
  } catch {
    return "";
  }
}

function sizeOf(bytes) {
  const units = ["bytes", "KB", "MB"];
  const step = bytes < 1024 ? 0 : bytes < 1024 * 1024 ? 1 : 2;
  const amount = bytes / 1024 ** step;
  return `${step && amount < 10 ? amount.toFixed(1) : Math.round(amount)} ${units[step]}`;
}

// Choices -----------------------------------------------------------------------------------------------

function buttonsOf(buttons, choose) {
  const group = make("div", { className: "choices-inline", role: "group", label: "Choices" });
  for (const { id, title } of buttons) {
    group.append(button(title, () => choose({ kind: "button_reply", id, title }), { dir: "auto" }));
  }
  return group;
}

function listOf(list, choose) {
  const open = button(list.button, () => openSheet(list, choose), { className: "opens", dir: "auto" });
  open.setAttribute("aria-haspopup", "dialog");
  return make("div", { className: "choices-inline" }, open);
}

// A sheet of rows, as a menu of a dialog: arrows move, Enter and a tap choose, Escape closes.
function openSheet(list, choose) {
  const sheet = make("dialog", { className: "sheet", label: list.button });
  const rows = make("div", { className: "rows" });
  for (const { title, rows: given } of list.sections) {
    if (title) rows.append(make("h3", { textContent: title, dir: "auto" }));
    for (const row of given) rows.append(rowOf(row, sheet, choose));
  }
  rows.addEventListener("keydown", moveFocus);
  sheet.append(make("h2", { textContent: list.button, dir: "auto" }), rows,
    make("div", { className: "choices" }, button("Close", () => sheet.close())));
  sheet.addEventListener("close", () => sheet.remove());
  sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());
  document.body.append(sheet);
  sheet.showModal();
  rows.querySelector("button")?.focus();
}

function rowOf({ id, title, description }, sheet, choose) {
  const row = button("", () => {
    sheet.close();
    choose({ kind: "list_reply", id, title, description });
  });
  row.append(make("span", { dir: "auto", textContent: title }));
  if (description) row.append(make("span", { className: "fine", dir: "auto", textContent: description }));
  return row;
}

function moveFocus(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const rows = [...event.currentTarget.querySelectorAll("button")];
  const ends = { Home: rows[0], End: rows.at(-1) };
  const next = step
    ? rows[(rows.indexOf(document.activeElement) + step + rows.length) % rows.length]
    : ends[event.key];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

// Places, cards, templates ------------------------------------------------------------------------------

function placeOf({ latitude, longitude, name, address }) {
  const words = make("span", { className: "file-words" });
  if (name) words.append(make("span", { className: "file-name", dir: "auto", textContent: name }));
  if (address) words.append(make("span", { className: "fine", dir: "auto", textContent: address }));
  words.append(make("span", { className: "fine", textContent: `${latitude}, ${longitude}` }));
  return make("div", { className: "file", role: "group", label: "Location" }, icon("place", "sign"), words);
}

function cardOf({ name, lines }) {
  const words = make("span", { className: "file-words" });
  words.append(make("span", { className: "file-name", dir: "auto", textContent: name }));
  for (const line of lines) words.append(make("span", { className: "fine", dir: "auto", textContent: line }));
  return make("div", { className: "file", role: "group", label: "Contact" }, icon("person-sign", "sign"), words);
}

function templateOf({ name, language, values }) {
  const words = make("span", { className: "file-words" });
  words.append(make("span", { className: "file-name", textContent: `Template ${name} (${language})` }));
  for (const value of values) words.append(make("span", { className: "fine", dir: "auto", textContent: value }));
  return make("div", { className: "file" }, icon("file", "sign"), words);
}
