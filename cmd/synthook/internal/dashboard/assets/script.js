// What the dashboard does better with scripts than without: nothing here is needed.
"use strict";

// Copy buttons.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const from = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(from.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(from);
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
});
const unhide = (root) => root.querySelectorAll("button[data-copy]").forEach((b) => { b.hidden = false; });
unhide(document);

// Parts of the page that follow what happens: the page is asked for again, and the part
// is put in the place of the old one, unless somebody is typing in it.
const renew = async (part) => {
  const busy = part.matches(":focus-within") && /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
  if (document.hidden || busy) return;
  try {
    const answer = await fetch(location.href, { headers: { "X-Live": "1" } });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById(part.id);
    if (!fresh || !part.isConnected || typed(part)) return;
    part.querySelectorAll("details[id][open]").forEach((d) => { fresh.querySelector("#" + CSS.escape(d.id))?.setAttribute("open", ""); });
    if (fresh.innerHTML !== part.innerHTML) keepFocus(part, fresh);
    part.dataset.live = fresh.dataset.live || "";
    unhide(part);
    // What says the same outside of the part, such as the state beside the title.
    page.querySelectorAll("[data-also]").forEach((other) => {
      const here = document.getElementById(other.id);
      if (here && here.innerHTML !== other.innerHTML) here.innerHTML = other.innerHTML;
    });
  } catch { /* the next try may do better */ }
};
const follow = (part) => {
  const every = Number(part.dataset.live);
  if (every) setTimeout(async () => { await renew(part); follow(part); }, every);
};
// Parts that the server tells when to look again: once more after a look that was under way.
const watch = (part) => {
  let source, looking, again;
  const look = async () => {
    if (looking) { again = true; return; }
    looking = true;
    do { again = false; await renew(part); } while (again);
    looking = false;
  };
  const listen = () => { source = new EventSource(part.dataset.watch); source.onmessage = look; };
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
  listen();
};
const typed = (part) => [...part.querySelectorAll("input:not([type=hidden])")].some((i) => i.value !== i.defaultValue);
const keepFocus = (part, fresh) => {
  const at = part.contains(document.activeElement) ? [...part.querySelectorAll("a,button,input,[tabindex]")].indexOf(document.activeElement) : -1;
  part.innerHTML = fresh.innerHTML;
  if (at >= 0) part.querySelectorAll("a,button,input,[tabindex]")[at]?.focus();
};
document.querySelectorAll("[data-live]").forEach(follow);
if (window.EventSource) document.querySelectorAll("[data-watch]").forEach(watch);

// The live tail.
const tail = document.querySelector("[data-tail]");
if (tail && window.EventSource) {
  const pause = document.createElement("button");
  pause.type = "button";
  pause.className = "btn small";
  pause.textContent = "Pause";
  document.getElementById("tail-h").append(" ", pause);
  let source;
  let last = tail.dataset.tail;
  const listen = () => {
    source = new EventSource(last);
    source.onmessage = (event) => {
      last = "/live?after=" + event.lastEventId;
      document.getElementById("tail-empty")?.remove();
      tail.insertAdjacentHTML("afterbegin", event.data);
      tail.firstElementChild.classList.add("fresh");
      while (tail.children.length > 30) tail.lastElementChild.remove();
    };
  };
  pause.addEventListener("click", () => {
    if (source) { source.close(); source = null; pause.textContent = "Go on"; } else { listen(); pause.textContent = "Pause"; }
  });
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => { if (event.persisted && source) listen(); });
  listen();
}

// Searching a list while one types.
document.querySelectorAll("input[data-filter]").forEach((input) => {
  const list = document.getElementById(input.dataset.filter);
  input.addEventListener("input", () => {
    const text = input.value.trim().toLowerCase();
    for (const item of list.children) item.hidden = !item.textContent.toLowerCase().includes(text);
  });
});
