// Makes elements.  Whatever a person or an assistant wrote enters the page here, as text and never as markup.

export function make(tag, properties = {}, ...children) {
  const { role, label, ...own } = properties;
  const element = Object.assign(document.createElement(tag), own);
  if (role) element.setAttribute("role", role);
  if (label) element.setAttribute("aria-label", label);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function button(words, onClick, properties = {}) {
  const element = make("button", { type: "button", textContent: words, ...properties });
  element.addEventListener("click", onClick);
  return element;
}

// A picture of the sprite; with a label it is told, without one it is decoration.
export function icon(name, className, label = "") {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", className);
  if (label) {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
  } else {
    svg.setAttribute("aria-hidden", "true");
  }
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#${name}`);
  svg.append(use);
  return svg;
}

export function timeOf(at) {
  const date = new Date(at * 1000);
  const shown = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return make("time", { dateTime: date.toISOString(), title: date.toLocaleString(), textContent: shown });
}
