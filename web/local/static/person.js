// One person with a phone: a conversation, what to write it with, and the timeline of its operations.

import { Bubbles } from "/local/static/bubbles.js";
import { Stream, post } from "/local/static/stream.js";
import { Timeline } from "/local/static/timeline.js";

const GAPS = {
  restarted: "Midstream was restarted. The conversation goes on.",
  forgotten: "Some messages between are no longer kept here.",
};

export class Person {
  #find;
  #bubbles;
  #timeline;
  #stream;
  #drafts = new Map(); // key -> what was sent under it, to send it once more
  #posting = Promise.resolve(); // one after the other: two messages must not overtake each other
  #typingUntil = 0; // the timer that takes the dots away
  #atBottom = true;

  constructor(user, name, onRemove) {
    this.user = user;
    const content = document.getElementById("person").content.cloneNode(true);
    this.element = content.firstElementChild;
    this.#find = (name) => this.element.querySelector(`.${name}`);
    this.element.setAttribute("aria-label", `Chat of ${name}`);
    this.#find("number").textContent = name;
    this.#find("remove").setAttribute("aria-label", `Remove ${name}`);
    this.#find("remove").addEventListener("click", onRemove);
    this.#bubbles = new Bubbles(this.#find("messages"), {
      choose: (choice, key) => this.#send({ choice, reply_to: key }, choice.title),
      again: (key) => this.#post(this.#drafts.get(key)),
      react: (to, emoji) => this.#post({ user, key: crypto.randomUUID(), reaction: { to, emoji } }),
    });
    this.#timeline = new Timeline(this.#find("operations"), this.#find("operation-summary"));
    this.#stream = new Stream(user, {
      hello: (data) => this.#showGap(data),
      message: (data) => this.#showMessage(data),
      state: (data) => this.#changed(() => this.#bubbles.showState(data)),
      typing: (data) => this.#showTyping(data),
      reaction: (data) => this.#changed(() => this.#bubbles.showReaction(data)),
      operation: (data) => this.#timeline.show(data),
    }, () => this.#showStatus());
    this.#listen();
  }

  follow() {
    this.#stream.follow();
  }

  stop() {
    this.#stream.stop();
  }

  focus() {
    this.#find("words").focus();
  }

  // Showing ---------------------------------------------------------------------------------------------

  #changed(change) {
    change();
    this.#keepUp();
  }

  #showMessage(message) {
    const { key, mine, state } = message;
    if (!mine) this.#hideTyping();
    if (!this.#bubbles.has(key)) {
      this.#bubbles.add(message);
      if (!mine && !this.#atBottom) this.#find("newer").hidden = false;
    }
    if (mine) {
      if (!this.#drafts.has(key)) this.#drafts.set(key, { user: this.user, key, text: message.text });
      this.#bubbles.showState({ key, state });
    }
    this.#keepUp();
  }

  #showTyping({ at, seconds }) {
    const left = seconds * 1000 - (Date.now() - at * 1000);
    if (left <= 0) return;
    clearTimeout(this.#typingUntil);
    this.#typingUntil = setTimeout(() => this.#hideTyping(), left);
    this.#find("typing").hidden = false;
    this.#showStatus();
    this.#keepUp();
  }

  #hideTyping() {
    clearTimeout(this.#typingUntil);
    this.#find("typing").hidden = true;
    this.#showStatus();
  }

  #showStatus() {
    const status = this.#find("status");
    const typing = !this.#find("typing").hidden;
    const words = !this.#stream.isOpen ? "Connecting…" : typing ? "typing…" : "Connected";
    if (status.textContent !== words) status.textContent = words;
    status.classList.toggle("lost", !this.#stream.isOpen);
    status.classList.toggle("busy", this.#stream.isOpen && typing);
  }

  #showGap({ gap }) {
    if (gap) this.#bubbles.showNotice(GAPS[gap]);
    if (gap === "restarted") this.#timeline.stop();
    // What is replayed now is no news: a screen reader stays silent until it is through.
    const log = this.#find("log");
    log.setAttribute("aria-busy", "true");
    setTimeout(() => log.removeAttribute("aria-busy"), 300);
  }

  // Stay at the newest, unless the user has scrolled up to read.
  #keepUp(always = false) {
    const log = this.#find("log");
    if (this.#atBottom || always) log.scrollTop = log.scrollHeight;
  }

  // Sending ---------------------------------------------------------------------------------------------

  #send(content, text) {
    const key = crypto.randomUUID();
    const draft = { user: this.user, key, ...content };
    this.#drafts.set(key, draft);
    const at = Date.now() / 1000;
    this.#bubbles.add({ key, mine: true, text, at, quote: content.reply_to });
    this.#bubbles.showState({ key, state: "sending" });
    this.#keepUp(true);
    this.#post(draft);
  }

  #post(draft) {
    this.#posting = this.#posting.then(async () => {
      const reason = await post(draft);
      if (reason) this.#changed(() => this.#bubbles.showState({ key: draft.key, state: "refused", reason }));
    });
  }

  // What the user does ----------------------------------------------------------------------------------

  #listen() {
    const [words, composer, log] = ["words", "composer", "log"].map(this.#find);
    const fit = () => {
      words.style.height = "auto";
      words.style.height = `${words.scrollHeight + 2}px`;
      this.#find("send").disabled = !words.value.trim();
    };
    composer.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = words.value.trim();
      if (!text) return;
      this.#send({ text }, text);
      words.value = "";
      fit();
      words.focus();
    });
    words.addEventListener("input", fit);
    words.addEventListener("keydown", (event) => {
      // While an input method composes a character, Enter belongs to it.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      composer.requestSubmit();
    });
    this.#find("suggestions").addEventListener("click", (event) => {
      if (event.target.tagName !== "BUTTON") return;
      this.#send({ text: event.target.textContent }, event.target.textContent);
      // Not where that would push a keyboard over the chat.
      if (matchMedia("(hover: hover)").matches) words.focus();
    });
    log.addEventListener("scroll", () => {
      this.#atBottom = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
      if (this.#atBottom) this.#find("newer").hidden = true;
    });
    this.#find("newer").addEventListener("click", () => this.#keepUp(true));
    new ResizeObserver(() => this.#keepUp()).observe(log);
  }
}
