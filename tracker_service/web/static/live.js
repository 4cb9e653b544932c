// Keeps an open page as the rows are: told by the stream that something changed, it fetches the
// page's changing parts again, drawn by the server, and puts in those that differ.
import { localTimes } from "./times.js";

const SETTLE_MS = 150;
const POLL_MS = 3000;

function openParts(part) {
  const open = new Map();
  for (const details of part.querySelectorAll("details[id][open]")) open.set(details.id, details);
  return open;
}

// Somebody may be answering, whether the focus is in the form or not: a question that is still
// open keeps its form as it is, with what was typed and chosen.
function replaceQuestions(old, fresh) {
  for (const form of old.querySelectorAll("form")) {
    if (!fresh.querySelector(`#${CSS.escape(form.id)}`)) form.remove();
  }
  for (const form of fresh.querySelectorAll("form")) {
    if (!document.getElementById(form.id)) {
      old.append(document.adoptNode(form));
      localTimes(form);
    }
  }
}

function changedFields(part) {
  return [...part.querySelectorAll("input[id]")].filter((field) => field.value !== field.defaultValue);
}

function replace(old, fresh) {
  if (old.dataset.live === "waits") {
    replaceQuestions(old, fresh);
    return;
  }
  const open = openParts(old);
  const changed = changedFields(old);
  const focused = old.contains(document.activeElement) ? document.activeElement.closest("[id]")?.id : null;
  old.innerHTML = fresh.innerHTML;
  for (const name of old.getAttributeNames()) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) old.setAttribute(name, value);
  for (const [id, details] of open) {
    const now = document.getElementById(id);
    if (!now) continue;
    if (now.dataset.version === details.dataset.version && details.dataset.loaded) {
      now.querySelector(".inside").replaceWith(details.querySelector(".inside"));
      now.dataset.loaded = "1";
    }
    now.open = true;
  }
  for (const { id, value } of changed) {
    const field = document.getElementById(id);
    if (!field) continue;
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  if (focused) (document.getElementById(focused)?.querySelector("summary, a, button") ?? document.getElementById(focused))?.focus();
  localTimes(old);
}

export function live(fragment) {
  let busy = false;
  let again = false;

  async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const response = await fetch(fragment(location.pathname + location.search));
      if (response.ok) {
        const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
        for (const old of document.querySelectorAll("[data-live]")) {
          const part = fresh.getElementById(old.id);
          if (part && part.outerHTML !== old.dataset.drawn) {
            const drawn = part.outerHTML;
            replace(old, part);
            old.dataset.drawn = drawn;
          }
        }
      }
    } catch {
      // The next change or the next look tries again.
    } finally {
      busy = false;
      if (again) { again = false; soon(); }
    }
  }

  let timer;
  function soon() {
    clearTimeout(timer);
    timer = setTimeout(refresh, SETTLE_MS);
  }
  document.addEventListener("refresh", soon);

  const listening = document.querySelector("[data-stream]");
  if (!listening) {
    if (document.getElementById("health")) setInterval(refresh, POLL_MS);
    return;
  }
  const source = new EventSource(listening.dataset.stream);
  for (const name of ["execution", "executions", "end", "reset"]) source.addEventListener(name, soon);
  let polling;
  source.addEventListener("open", () => { clearInterval(polling); polling = undefined; });
  source.addEventListener("error", () => { polling ??= setInterval(soon, POLL_MS); });
  addEventListener("pagehide", () => source.close());
}
