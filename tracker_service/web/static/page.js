// What every page does once it is there. The page is whole without it, but not live.
import { commands } from "./commands.js";
import { live } from "./live.js";
import { signingIn } from "./session.js";
import { localTimes, moments } from "./times.js";

function theme() {
  const button = document.getElementById("theme");
  button?.addEventListener("click", () => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
    const next = now === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    document.cookie = `theme=${next}; path=/; max-age=31536000; samesite=strict`;
  });
}

// A closed part of the page is fetched when it is opened for the first time.
function opening() {
  document.addEventListener("toggle", async (event) => {
    const details = event.target;
    const source = details.dataset?.src;
    if (!source || !details.open || details.dataset.loaded) return;
    details.dataset.loaded = "1";
    const inside = details.querySelector(":scope > .inside");
    const response = await fetch(fragment(source)).catch(() => null);
    if (!response?.ok) delete details.dataset.loaded;
    inside.innerHTML = response ? await response.text() : "<p>The API does not answer.</p>";
    localTimes(inside);
  }, true);
}

function fragment(address) {
  return address + (address.includes("?") ? "&" : "?") + "fragment=1";
}

function ranges() {
  document.addEventListener("input", (event) => {
    const shown = event.target.dataset?.shows;
    if (shown) document.getElementById(shown).textContent = event.target.value;
  });
}

theme();
opening();
ranges();
moments();
localTimes(document);
commands();
signingIn();
live(fragment);
