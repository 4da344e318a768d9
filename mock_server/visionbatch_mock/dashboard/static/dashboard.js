// The pages are whole without this: it fetches the same page again when the mock says that something has changed,
// lets the clock run, and listens to keys.
"use strict";

const LATER_MS = 5000;
const QUIET_MS = 150;
const PAGES = { o: "/", f: "/faults", j: "/journal", l: "/ledger", e: "/exports", w: "/webhooks", c: "/clock" };
const tenant = new URLSearchParams(document.body.dataset.events?.split("?")[1] ?? "").get("tenant");

// -- live

const shown = document.getElementById("live");
let waiting = null;

function tell(text, on) {
  if (!shown) return;
  shown.hidden = false;
  shown.classList.toggle("on", on);
  shown.querySelector("span").textContent = text;
}

function refreshSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(refresh, QUIET_MS);
}

async function refresh() {
  let answer;
  try {
    answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  } catch {
    return;
  }
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (other && other.innerHTML !== part.dataset.last) replace(part, other);
  }
  const [mine, theirs] = [document.querySelector("nav"), fresh.querySelector("nav")];
  if (mine && theirs) mine.replaceChildren(...theirs.childNodes);
  adopt();
}

// Keeps what the reader has opened and where the reader is.
function replace(part, other) {
  const open = new Set([...part.querySelectorAll("details[open]")].map((each) => each.id));
  const rows = lines();
  const at = rows.findIndex((row) => row.classList.contains("here"));
  const focused = part.contains(document.activeElement);
  part.dataset.last = other.innerHTML;
  part.replaceChildren(...other.childNodes);
  for (const id of open) if (id) document.getElementById(id)?.setAttribute("open", "");
  addCopying(part);
  if (at >= 0) go(at, focused);
}

function listen() {
  const address = document.body.dataset.events;
  if (!address) return;
  const source = new EventSource(address);
  let last = null;
  source.addEventListener("change", (event) => {
    tell("live", true);
    // The first word too: something may have happened since the page was made.
    if (event.data !== last) refreshSoon();
    last = event.data;
  });
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) return;
    // Too many look already: ask for the page now and then.
    tell("every few seconds", false);
    setInterval(refresh, LATER_MS);
  };
  addEventListener("pagehide", () => source.close());
}

// -- the clock

let clock = null;

function adopt() {
  const own = document.getElementById("clock");
  if (!own) return;
  clock = { at: Number(own.dataset.now), speed: Number(own.dataset.speed), since: performance.now() };
  tick();
}

function tick() {
  const own = document.getElementById("clock");
  if (!clock || !own) return;
  const now = clock.at + ((performance.now() - clock.since) / 1000) * clock.speed;
  own.textContent = new Date(now * 1000).toISOString().slice(0, 19).replace("T", " ");
}

// -- copying

function addCopying(root) {
  if (!navigator.clipboard) return;
  for (const code of root.querySelectorAll(".curl")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", () => copy(code, button));
    code.after(button);
  }
}

async function copy(code, button) {
  await navigator.clipboard.writeText(code.textContent);
  if (button) button.textContent = "Copied";
}

// -- keys

function lines() {
  return [...document.querySelectorAll("[data-row]")];
}

function go(to, focus = true) {
  const rows = lines();
  if (!rows.length) return;
  const at = Math.min(Math.max(to, 0), rows.length - 1);
  for (const row of rows) row.classList.toggle("here", row === rows[at]);
  const target = rows[at].querySelector("a, button, summary") ?? rows[at];
  if (focus) target.focus({ preventScroll: true });
  if (focus) rows[at].scrollIntoView({ block: "nearest" });
}

function open(path) {
  location.href = "/_dashboard" + path + (tenant ? "?tenant=" + encodeURIComponent(tenant) : "");
}

let leader = 0;
const here = () => lines().findIndex((row) => row.classList.contains("here"));
const KEYS = {
  j: () => go(here() + 1),
  k: () => go(here() - 1),
  "/": () => (document.getElementById("search") ? document.getElementById("search").focus() : open("/journal")),
  "?": () => document.getElementById("keys").showModal(),
  y: () => {
    const code = lines()[here()]?.querySelector(".curl");
    if (code && navigator.clipboard) copy(code, code.nextElementSibling);
  },
  g: () => (leader = performance.now()),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, dialog")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const page = leader && performance.now() - leader < 1500 ? PAGES[event.key] : null;
  leader = 0;
  if (page) open(page);
  else if (KEYS[event.key]) KEYS[event.key]();
  else return;
  event.preventDefault();
});

// -- begin

const picker = document.getElementById("tenant");
if (picker) {
  picker.form.querySelector("button").hidden = true;
  picker.addEventListener("change", () => picker.form.submit());
}
document.querySelector(".keys-hint").hidden = false;
addCopying(document);
adopt();
setInterval(tick, 250);
listen();
