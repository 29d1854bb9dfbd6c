// One conversation: its bubbles, with their ticks, reactions and quotes.
//
// Every bubble follows from events.  Only the user's own appears at once, under a key made here; the server
// knows it by the same key, so neither a second tab, nor a replay, nor a retry shows a message twice.

import { button, icon, make, timeOf } from "/local/static/dom.js";
import { partsAfter, partsBefore } from "/local/static/bodies.js";

const STATES = { sending: "On its way", accepted: "Accepted", read: "Read", refused: "Not accepted" };
const WHYS = {
  acknowledgement: "Acknowledgement",
  apology: "Apology",
  notice: "Notice",
  note: "Progress",
};
const QUOTE_CHARACTERS_MAX = 90;

export class Bubbles {
  #list;
  #choose; // function of a choice and the key of the message it is in
  #again; // function of a key: send this draft once more
  #react; // function of a key and an emoji
  #bubbles = new Map(); // key -> {element, words}

  constructor(list, { choose, again, react }) {
    this.#list = list;
    this.#choose = choose;
    this.#again = again;
    this.#react = react;
  }

  has(key) {
    return this.#bubbles.has(key);
  }

  add(message) {
    const { key, mine, text, at, why = "reply", quote } = message;
    const element = make(
      "div",
      { className: `bubble ${mine ? "mine" : `theirs ${why}`}` },
      make("span", { className: "spoken", textContent: mine ? "You: " : "Midstream: " }),
      WHYS[why] && !mine ? make("span", { className: "why", textContent: WHYS[why] }) : null,
      quote ? this.#quoteOf(quote) : null,
      ...partsBefore(message),
      text ? make("div", { className: "text", dir: "auto", textContent: text }) : null,
      ...partsAfter(message, (choice) => this.#choose(choice, key)),
      make("span", { className: "facts" }, mine ? null : this.#likeOf(key), timeOf(at)),
    );
    this.#bubbles.set(key, { element, words: text || element.innerText });
    this.#list.append(element);
  }

  showState({ key, state, reason = "" }) {
    const element = this.#bubbles.get(key)?.element;
    if (!element) return;
    element.dataset.state = state;
    element.querySelector(".tick")?.remove();
    element.querySelector(".facts").append(icon(state, "tick", STATES[state]));
    element.querySelector(".refusal")?.remove();
    if (state !== "refused") return;
    const again = button("Try again", () => this.#again(key));
    element.append(make("div", { className: "refusal" }, reason || "It was not accepted.", again));
  }

  showReaction({ to, emoji, mine }) {
    const element = this.#bubbles.get(to)?.element;
    if (!element) return;
    const name = mine ? "reaction-mine" : "reaction-theirs";
    element.querySelector(`.${name}`)?.remove();
    element.classList.toggle("reacted", Boolean(emoji));
    if (mine) element.querySelector(".like")?.setAttribute("aria-pressed", String(Boolean(emoji)));
    if (!emoji) return;
    const label = `${mine ? "You" : "Midstream"} reacted with ${emoji}`;
    element.append(make("span", { className: `reaction ${name}`, role: "img", label, textContent: emoji }));
  }

  showNotice(words) {
    this.#list.append(make("p", { className: "notice", textContent: words }));
  }

  #likeOf(key) {
    const like = button("", () => this.#react(key, like.getAttribute("aria-pressed") === "true" ? "" : "👍"), {
      className: "like",
      label: "React with a thumb up",
    });
    like.setAttribute("aria-pressed", "false");
    like.append(icon("thumb", "thumb"));
    return like;
  }

  #quoteOf(key) {
    const words = this.#bubbles.get(key)?.words ?? "an earlier message";
    const cut = words.length > QUOTE_CHARACTERS_MAX ? `${words.slice(0, QUOTE_CHARACTERS_MAX)}…` : words;
    return make("div", { className: "quote", dir: "auto", textContent: cut });
  }
}
