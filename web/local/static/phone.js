// The local phone's people: who is on the page, side by side or one at a time, kept in the page's address.

import { button } from "/local/static/dom.js";
import { Person } from "/local/static/person.js";

const FIRST_NUMBER = "15551234567";
const NUMBER = /^[0-9]{5,15}$/;
const PEOPLE_MAX = 4; // browsers keep six connections to a server, and each person follows by one

const find = (id) => document.getElementById(id);
const people = new Map(); // number -> Person
let chosen = ""; // whom a narrow page shows

// Who is here -------------------------------------------------------------------------------------------

function numbersOfAddress() {
  const given = location.hash.slice(1).split(",").map((one) => one.replace(/[^0-9]/g, ""));
  const numbers = [...new Set(given)].filter((one) => NUMBER.test(one)).slice(0, PEOPLE_MAX);
  return numbers.length ? numbers : [FIRST_NUMBER];
}

function changePeople() {
  const numbers = numbersOfAddress();
  for (const [number, person] of people) {
    if (numbers.includes(number)) continue;
    person.stop();
    person.element.remove();
    people.delete(number);
  }
  for (const number of numbers) {
    if (people.has(number)) continue;
    const person = new Person(number, spell(number), () => remove(number));
    people.set(number, person);
    find("people").append(person.element);
    if (!document.hidden) person.follow();
  }
  document.body.dataset.people = people.size;
  find("add").disabled = people.size >= PEOPLE_MAX;
  choose(people.has(chosen) ? chosen : numbers[0]);
}

function choose(number) {
  chosen = number;
  for (const [other, person] of people) person.element.classList.toggle("chosen", other === chosen);
  find("switcher").replaceChildren(...[...people.keys()].map(switchOf));
}

function switchOf(number) {
  const element = button(spell(number), () => {
    choose(number);
    find("switcher").querySelector("[aria-current]").focus();
  });
  if (number === chosen) element.setAttribute("aria-current", "true");
  return element;
}

function remove(number) {
  location.hash = [...people.keys()].filter((other) => other !== number).join(",");
  find("add").focus();
}

function spell(number) {
  const american = number.match(/^1(\d{3})(\d{3})(\d{4})$/);
  return american ? `+1 ${american.slice(1).join(" ")}` : `+${number}`;
}

// What the user does ------------------------------------------------------------------------------------

const [who, whoNumber, about] = ["who", "who-number", "about"].map(find);

function nextNumber() {
  let next = BigInt([...people.keys()].at(-1)) + 1n;
  while (people.has(String(next))) next += 1n;
  return String(next);
}

find("add").addEventListener("click", () => {
  whoNumber.value = spell(nextNumber());
  whoNumber.setCustomValidity("");
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
  chosen = digits;
  location.hash = [...new Set([...people.keys(), digits])].join(",");
  who.close();
  changePeople();
  people.get(digits)?.focus();
});
find("explain").addEventListener("click", () => about.showModal());
find("about-close").addEventListener("click", () => about.close());
addEventListener("hashchange", changePeople);

// A tab that nobody sees gives its connections back.
document.addEventListener("visibilitychange", () => {
  for (const person of people.values()) document.hidden ? person.stop() : person.follow();
});

changePeople();
