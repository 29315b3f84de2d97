// Keeps a page current: an event says that something is new, and the parts that changed are taken from the page itself.

const shown = new Map();
const topics = document.body.dataset.topics.split(" ").filter(Boolean);
const sign = document.getElementById("live");
let stream = null;
let isBusy = false;
let isStale = false;

document.documentElement.classList.add("js");
remember(document);
tellTimes();
setInterval(tellTimes, 5000);
if (topics.length && window.EventSource) {
  document.addEventListener("visibilitychange", follow);
  follow();
}

// A browser has six connections to one host: a page that nobody sees must not hold one.
function follow() {
  if (document.hidden) {
    stream?.close();
    stream = null;
  } else if (!stream) {
    listen();
  }
}

function listen() {
  stream = new EventSource("/_multistack/api/events?" + topics.map((topic) => "topic=" + topic).join("&"));
  stream.onopen = () => {
    say("live", "live");
    tellGone(false);
  };
  stream.onerror = () => {
    say("not live", "lost");
    probe();
    setTimeout(probe, 1000);  // one that is told to stop answers for a moment yet
    if (stream?.readyState === EventSource.CLOSED) {
      stream = null;
      setTimeout(follow, 5000);
    }
  };
  for (const topic of topics) stream.addEventListener(topic, refresh);
}

function say(text, kind) {
  if (sign.textContent !== text) sign.textContent = text;
  sign.className = "live " + kind;
  sign.hidden = false;
}

// A stream ends also when there are too many of them: only a proxy that answers nothing at all is gone.
async function probe() {
  const answers = await fetch("/_multistack/health", { cache: "no-store" }).then(() => true, () => false);
  tellGone(!answers);
}

function tellGone(isGone) {
  const root = document.documentElement;
  if (root.classList.contains("gone") === isGone) return;
  root.classList.toggle("gone", isGone);
  document.getElementById("gone").replaceChildren(...(isGone ? [element("p", { class: "banner wrong" },
    "The proxy does not answer, and what is shown may be over. Start it with ", element("code", {}, "multistack up"),
    "; this page goes on by itself then.")] : []));
  holdButtons();
  if (!isGone) refresh();
}

function holdButtons() {
  const isGone = document.documentElement.classList.contains("gone");
  for (const one of document.querySelectorAll("[data-action], [data-cancel]")) one.disabled = isGone;
}

export async function refresh() {
  isStale = true;
  if (isBusy) return;
  isBusy = true;
  try {
    while (isStale) {
      isStale = false;
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) return;
      replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
    }
  } catch {
    say("not live", "lost");
    probe();
  } finally {
    isBusy = false;
  }
}

function replace(fresh) {
  const focused = document.activeElement?.id;
  const token = "meta[name=multistack-token]";
  document.querySelector(token).content = fresh.querySelector(token)?.content ?? "";
  const [old, now] = [document, fresh].map((page) => page.querySelector("[data-set]")?.dataset.set);
  if (old !== now) {
    document.getElementById("main").replaceChildren(...fresh.getElementById("main").childNodes);
    remember(document);
  }
  for (const part of fresh.querySelectorAll("[data-live-class]")) {
    const there = document.getElementById(part.id);
    if (there) there.className = part.className;
  }
  for (const part of fresh.querySelectorAll("[data-live]")) {
    const there = document.getElementById(part.id);
    const html = part.innerHTML;
    if (!there || shown.get(part.id) === html) continue;
    const kept = new Map([...there.querySelectorAll("details[id]")].map((one) => [one.id, one.open]));
    shown.set(part.id, html);
    there.replaceChildren(...part.childNodes);
    for (const one of there.querySelectorAll("details[id]")) if (kept.has(one.id)) one.open = kept.get(one.id);
    if ("end" in there.dataset) toEnd(there);
  }
  tellTimes();
  holdButtons();
  for (const output of document.querySelectorAll("details.running pre")) output.scrollTop = output.scrollHeight;
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus();
}

function remember(page) {
  for (const part of page.querySelectorAll("[data-live]")) {
    shown.set(part.id, part.innerHTML);
    if ("end" in part.dataset) toEnd(part);
  }
}

function toEnd(part) {
  const area = part.querySelector(".scroll");
  if (area) area.scrollTop = area.scrollHeight;
}

function tellTimes() {
  for (const one of document.querySelectorAll("time[datetime]")) {
    const at = new Date(one.dateTime);
    if (one.classList.contains("clock")) {
      one.textContent = at.toLocaleTimeString([], { hour12: false });
    } else {
      one.title = at.toLocaleString();
      one.textContent = ago((Date.now() - at) / 1000);
    }
  }
}

function ago(seconds) {
  if (seconds < 10) return "just now";
  if (seconds < 60) return Math.floor(seconds / 10) * 10 + " s ago";
  if (seconds < 3600) return Math.floor(seconds / 60) + " min ago";
  if (seconds < 86400) return Math.floor(seconds / 3600) + " h ago";
  return Math.floor(seconds / 86400) + " d ago";
}

// A call of the API; what it answers, or an error with what is wrong.
export async function call(method, path, content) {
  const answer = await fetch("/_multistack/api" + path, {
    method,
    headers: {
      "Content-Type": "application/json",
      "X-Multistack-Token": document.querySelector("meta[name=multistack-token]").content,
    },
    body: content === undefined ? undefined : JSON.stringify(content),
  }).catch(() => {
    throw new Error("The proxy does not answer; multistack up starts it.");
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.detail ?? told.title);
  return told;
}

// An element; children are text or elements, never markup.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}
