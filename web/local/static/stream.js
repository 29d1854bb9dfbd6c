// Follows one user's chat as server-sent events, and comes back to where it was when it was cut off.

const RETRY_MS = 2000;

export class Stream {
  #user;
  #handlers; // event kind -> function of its data
  #onChange; // called when the connection comes or goes
  #source = null;
  #position = ""; // the id of the last event seen: where a new stream goes on
  #retrying = 0;

  constructor(user, handlers, onChange) {
    this.#user = user;
    this.#handlers = handlers;
    this.#onChange = onChange;
  }

  get isOpen() {
    return this.#source?.readyState === EventSource.OPEN;
  }

  follow() {
    this.stop();
    const place = new URLSearchParams({ user: this.#user, after: this.#position });
    const source = new EventSource(`/local/events?${place}`);
    this.#source = source;
    source.addEventListener("open", this.#onChange);
    source.addEventListener("error", () => {
      this.#onChange();
      // A server that refuses, or is not there, is asked again; a cut connection the browser mends itself.
      if (source.readyState === EventSource.CLOSED) {
        this.#retrying = setTimeout(() => this.follow(), RETRY_MS);
      }
    });
    for (const [kind, show] of Object.entries(this.#handlers)) {
      source.addEventListener(kind, (event) => {
        if (event.lastEventId) this.#position = event.lastEventId;
        show(JSON.parse(event.data));
      });
    }
  }

  stop() {
    clearTimeout(this.#retrying);
    this.#source?.close();
    this.#source = null;
  }
}

export async function post(draft) {
  try {
    const answer = await fetch("/local/messages", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(draft),
    });
    // How far the message came is an event, for every tab; here only that no event can come.
    return answer.ok ? "" : await answer.text();
  } catch {
    return "Midstream could not be reached.";
  }
}
