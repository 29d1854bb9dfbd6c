// The local phone: sends what the user types, and shows what the server says has happened.
//
// Every bubble follows from events.  Only the user's own appears at once, under a key made here; the server
// knows it by the same key, so neither a second tab, nor a replay, nor a retry shows a message twice.

const FIRST_NUMBER = "15551234567";
const NUMBER = /^[0-9]{5,15}$/;
const RETRY_MS = 2000;
const STATES = {
  sending: "On its way",
  accepted: "Accepted",
  read: "Read",
  refused: "Not accepted",
};
const GAPS = {
  restarted: "Midstream was restarted. The conversation goes on.",
  forgotten: "Some messages between are no longer kept here.",
};

const find = (id) => document.getElementById(id);
const [log, messages, typing, newer, status, text] =
  ["log", "messages", "typing", "newer", "status", "text"].map(find);

let user = "";
let source = null; // the EventSource, null while the page is hidden
let position = ""; // the id of the last event seen: where a new stream goes on
let reconnecting = 0;
let typingUntil = 0; // the timer that takes the dots away
let atBottom = true;
let posting = Promise.resolve(); // one after the other: two messages must not overtake each other
const bubbles = new Map(); // key -> {element, text}

// Showing -----------------------------------------------------------------------------------------------

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function makeTick(state) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "tick");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", STATES[state]);
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#${state}`);
  svg.append(use);
  return svg;
}

function makeTime(at) {
  const date = new Date(at * 1000);
  const shown = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return make("time", { dateTime: date.toISOString(), title: date.toLocaleString(), textContent: shown });
}

// Text enters the page here and in notices, as text and never as markup.
function showMessage({ key, mine, text, at, state }) {
  if (!mine) hideTyping();
  if (bubbles.has(key)) {
    if (mine) showState({ key, state });
    return;
  }
  const facts = make("span", { className: "facts" }, makeTime(at));
  const element = make(
    "div",
    { className: mine ? "bubble mine" : "bubble theirs" },
    make("span", { className: "spoken", textContent: mine ? "You: " : "Midstream: " }),
    make("div", { className: "text", dir: "auto", textContent: text }),
    facts,
  );
  bubbles.set(key, { element, text });
  messages.append(element);
  if (mine) showState({ key, state });
  if (!mine && !atBottom) newer.hidden = false;
  keepUp();
}

function showState({ key, state, reason = "" }) {
  const bubble = bubbles.get(key);
  if (!bubble) return;
  const { element } = bubble;
  element.dataset.state = state;
  element.querySelector(".tick")?.remove();
  element.querySelector(".facts").append(makeTick(state));
  element.querySelector(".refusal")?.remove();
  if (state !== "refused") return;
  const again = make("button", { type: "button", textContent: "Try again" });
  again.addEventListener("click", () => send(bubble.text, key));
  element.append(make("div", { className: "refusal" }, reason || "It was not accepted.", again));
  keepUp();
}

function showNotice(words) {
  messages.append(make("p", { className: "notice", textContent: words }));
  keepUp();
}

function showTyping({ at, seconds }) {
  const left = seconds * 1000 - (Date.now() - at * 1000);
  if (left <= 0) return;
  clearTimeout(typingUntil);
  typingUntil = setTimeout(hideTyping, left);
  typing.hidden = false;
  showStatus();
  keepUp();
}

function hideTyping() {
  clearTimeout(typingUntil);
  typing.hidden = true;
  showStatus();
}

function showStatus() {
  const connected = source?.readyState === EventSource.OPEN;
  const words = !connected ? "Connecting…" : typing.hidden ? "Connected" : "typing…";
  if (status.textContent !== words) status.textContent = words;
  status.className = !connected ? "lost" : typing.hidden ? "" : "busy";
}

// Stay at the newest, unless the user has scrolled up to read.
function keepUp(always = false) {
  if (atBottom || always) log.scrollTop = log.scrollHeight;
}

// Following ---------------------------------------------------------------------------------------------

function follow() {
  stopFollowing();
  source = new EventSource(`/local/events?${new URLSearchParams({ user, after: position })}`);
  source.addEventListener("open", showStatus);
  source.addEventListener("error", () => {
    showStatus();
    // A server that refuses, or that is not there, is asked again; a cut connection the browser mends itself.
    if (source?.readyState === EventSource.CLOSED) reconnecting = setTimeout(follow, RETRY_MS);
  });
  on("hello", showGap);
  on("message", showMessage);
  on("state", showState);
  on("typing", showTyping);
}

function on(kind, show) {
  source.addEventListener(kind, (event) => {
    if (event.lastEventId) position = event.lastEventId;
    show(JSON.parse(event.data));
  });
}

function stopFollowing() {
  clearTimeout(reconnecting);
  source?.close();
  source = null;
}

function showGap({ gap }) {
  if (gap) showNotice(GAPS[gap]);
  // What is replayed now is no news: a screen reader stays silent until it is through.
  log.setAttribute("aria-busy", "true");
  setTimeout(() => log.removeAttribute("aria-busy"), 300);
}

// Sending -----------------------------------------------------------------------------------------------

function send(text, key = crypto.randomUUID()) {
  showMessage({ key, mine: true, text, at: Date.now() / 1000, state: "sending" });
  keepUp(true);
  const draft = { user, key, text };
  posting = posting.then(() => post(draft));
}

async function post(draft) {
  try {
    const answer = await fetch("/local/messages", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(draft),
    });
    // How far the message came is an event, for every tab; here only that no event can come.
    if (!answer.ok) showState({ key: draft.key, state: "refused", reason: await answer.text() });
  } catch {
    showState({ key: draft.key, state: "refused", reason: "Midstream could not be reached." });
  }
}

function fitText() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
  find("send").disabled = !text.value.trim();
}

// Who one is --------------------------------------------------------------------------------------------

function changeUser() {
  const digits = location.hash.replace(/[^0-9]/g, "");
  user = NUMBER.test(digits) ? digits : FIRST_NUMBER;
  position = "";
  bubbles.clear();
  messages.replaceChildren();
  hideTyping();
  find("number").textContent = spell(user);
  find("number").setAttribute("aria-label", `You are ${spell(user)}. Change the number`);
  if (!document.hidden) follow();
}

function spell(number) {
  const american = number.match(/^1(\d{3})(\d{3})(\d{4})$/);
  return american ? `+1 ${american.slice(1).join(" ")}` : `+${number}`;
}

// What the user does ------------------------------------------------------------------------------------

find("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!text.value.trim()) return;
  send(text.value.trim());
  text.value = "";
  fitText();
  text.focus();
});
text.addEventListener("input", fitText);
text.addEventListener("keydown", (event) => {
  // While an input method composes a character, Enter belongs to it.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  find("composer").requestSubmit();
});
find("suggestions").addEventListener("click", (event) => {
  if (event.target.tagName !== "BUTTON") return;
  send(event.target.textContent);
  // Not where that would push a keyboard over the chat.
  if (matchMedia("(hover: hover)").matches) text.focus();
});

log.addEventListener("scroll", () => {
  atBottom = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  if (atBottom) newer.hidden = true;
});
newer.addEventListener("click", () => keepUp(true));
new ResizeObserver(() => keepUp()).observe(log);

const [who, whoNumber] = ["who", "who-number"].map(find);
find("number").addEventListener("click", () => {
  whoNumber.value = spell(user);
  who.showModal();
  whoNumber.select();
});
find("who-cancel").addEventListener("click", () => who.close());
whoNumber.addEventListener("input", () => whoNumber.setCustomValidity(""));
who.addEventListener("submit", (event) => {
  event.preventDefault();
  const digits = whoNumber.value.replace(/[^0-9]/g, "");
  if (!NUMBER.test(digits)) {
    whoNumber.setCustomValidity("5 to 15 digits");
    whoNumber.reportValidity();
    return;
  }
  location.hash = digits;
  who.close();
  text.focus();
});
addEventListener("hashchange", changeUser);

// Browsers keep only six connections to a server: a tab that nobody sees gives its own back.
document.addEventListener("visibilitychange", () => (document.hidden ? stopFollowing() : follow()));

changeUser();
