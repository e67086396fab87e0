// What is live on the pages, and keys. Every page works without it.
//
// What it heeds:
//   data-live (with an id)   replaced by what the server says now, whenever a run or a step changes
//   data-live-text (id)      the same for its text alone: what is read aloud stays one element
//   data-stream (URL)        the stream of one run; else that of all runs, if anything on the page is live
//   data-append              new lines of the log are put below the others
//   data-clock (seconds)     counts on from there; with data-usual, on a progress: part of that many seconds
//   data-pause, data-copy    buttons that are of use with it alone
//   data-filter              where the key / leads
(() => {
  "use strict";

  const KEEP = 3000; // Lines of a log that stay on a page.
  const POLL = 5000;
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  const log = document.querySelector("#log[data-append]");
  const place = document.querySelector("[data-stream]");

  // Clocks count from when the page was made: no clock of this machine is believed.
  const made = new WeakMap();
  const words = (seconds) => {
    const pad = (number) => String(number).padStart(2, "0");
    return seconds < 60 ? `${seconds}.0 s` : `${pad(Math.floor(seconds / 60))}:${pad(seconds % 60)}`;
  };
  const tick = () => {
    for (const clock of document.querySelectorAll("[data-clock]")) {
      if (!made.has(clock)) made.set(clock, performance.now());
      const seconds = Number(clock.dataset.clock) + Math.floor((performance.now() - made.get(clock)) / 1000);
      if (clock.dataset.usual === undefined) {
        clock.textContent = words(seconds);
      } else {
        const percent = Math.min(99, Math.floor((seconds * 100) / Math.max(1, Number(clock.dataset.usual))));
        clock.value = percent;
        document.title = document.title.replace(/^● \d+ %/, `● ${percent} %`);
      }
    }
  };

  // The page as the server makes it now; only what is live is taken from it, and nothing under somebody's hands.
  let asked = 0;
  let pending = 0;
  let again = false;
  const isTyping = (part) => part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");
  const takeOver = (fresh) => {
    for (const part of document.querySelectorAll("[data-live][id]")) {
      const now = fresh.getElementById(part.id);
      if (isTyping(part)) continue;
      if (!now) {
        part.remove();
        continue;
      }
      for (const open of part.querySelectorAll("details[open][id]")) now.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
      const focusable = "a, button, summary, [tabindex]";
      const at = [...part.querySelectorAll(focusable)].indexOf(document.activeElement);
      const adopted = document.importNode(now, true);
      part.replaceWith(adopted);
      if (at >= 0) adopted.querySelectorAll(focusable)[at]?.focus();
    }
    // What has come since stands where it stands on the new page: after what precedes it there.
    let before = null;
    for (const now of fresh.querySelectorAll("main > *")) {
      const here = now.id && document.getElementById(now.id);
      if (here) before = here;
      else if (now.matches("[data-live][id]") && before) {
        const adopted = document.importNode(now, true);
        before.after(adopted);
        before = adopted;
      }
    }
    for (const part of document.querySelectorAll("[data-live-text][id]")) {
      const text = fresh.getElementById(part.id)?.textContent ?? "";
      if (part.textContent !== text) part.textContent = text;
    }
    document.title = fresh.title;
    tick();
  };
  const refresh = async () => {
    pending = 0;
    if (asked) {
      again = true;
      return;
    }
    asked = 1;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      if (answer.redirected) location.reload();
      else if (answer.ok) takeOver(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      // The service is away: the stream says when it is back.
    }
    asked = 0;
    if (again) {
      again = false;
      soon();
    }
  };
  const soon = (delay = 250) => {
    if (!pending) pending = setTimeout(refresh, delay);
  };

  // The log of a run.
  let paused = false;
  const waiting = [];
  const pause = document.querySelector("[data-pause]");
  const put = (line) => {
    if (document.getElementById(`L${line.seq}`)) return;
    const item = document.createElement("li");
    item.id = `L${line.seq}`;
    item.className = line.level;
    const at = document.createElement("a");
    at.href = `#L${line.seq}`;
    at.textContent = line.clock;
    item.append(at, " ");
    if (line.level !== "info") {
      const level = document.createElement("strong");
      level.textContent = line.level;
      item.append(level, " ");
    }
    const text = document.createElement("span");
    text.textContent = line.text;
    item.append(text);
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.append(item);
    document.getElementById("log-empty")?.remove();
    while (log.children.length > KEEP) log.firstElementChild.remove();
    if (isAtEnd) log.scrollTo({ top: log.scrollHeight, behavior: calm.matches ? "auto" : "smooth" });
  };
  const sayPaused = () => {
    pause.textContent = paused ? `Go on (${waiting.length} new)` : "Pause";
    pause.setAttribute("aria-pressed", String(paused));
  };
  if (log && pause) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      if (!paused) waiting.splice(0).forEach(put);
      sayPaused();
    });
    log.scrollTop = log.scrollHeight;
  }
  for (const button of document.querySelectorAll("[data-copy]")) {
    const source = document.getElementById(button.dataset.copy);
    if (!source || !navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText([...source.children].map((line) => line.textContent.trim()).join("\n"));
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }

  // One stream for each tab, closed while nobody looks; where none gets through, the page asks from time to time.
  const isLive = place || document.querySelector("[data-live], [data-live-text]");
  let stream = null;
  let failures = 0;
  let polling = 0;
  let last = place ? Number(new URL(place.dataset.stream, location.href).searchParams.get("after") ?? 0) : 0;
  let isOver = false;
  const address = () => {
    if (!place) return "/api/v1/events";
    const url = new URL(place.dataset.stream, location.href);
    url.searchParams.set("after", String(last));
    return url.href;
  };
  const heard = (event) => {
    last = Math.max(last, Number(event.lastEventId) || 0);
    return JSON.parse(event.data);
  };
  const listen = () => {
    if (!isLive || isOver || stream || document.hidden) return;
    stream = new EventSource(address());
    stream.addEventListener("open", () => {
      if (failures) soon();
      failures = 0;
      clearInterval(polling);
      polling = 0;
    });
    stream.addEventListener("error", () => {
      failures += 1;
      if (failures >= 3 && !polling) polling = setInterval(() => soon(), POLL);
      if (stream?.readyState === EventSource.CLOSED) {
        // Refused for good, or the login is over: the page says which.
        close();
        soon();
        setTimeout(listen, 10 * POLL);
      }
    });
    stream.addEventListener("run", () => soon());
    stream.addEventListener("event", () => soon());
    stream.addEventListener("waits", () => soon());
    stream.addEventListener("progress", (event) => {
      const words = document.getElementById("progress-words");
      const told = heard(event);
      if (words && told.text) words.textContent = ` · ${told.text}`;
    });
    stream.addEventListener("line", (event) => {
      const line = heard(event);
      if (log && paused) {
        waiting.push(line);
        sayPaused();
      } else if (log) put(line);
      // There may be many: a page is not made for each.
      soon(1500);
    });
    stream.addEventListener("ended", () => {
      isOver = true;
      close();
      soon();
    });
  };
  const close = () => {
    stream?.close();
    stream = null;
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      close();
      clearInterval(polling);
      polling = 0;
    } else {
      if (isLive && !isOver) soon();
      listen();
    }
  });

  // Keys: to look, never to act.
  const PLACES = { o: ["/", "Overview"], b: ["/backups", "Backups"], r: ["/runs", "Runs"], s: ["/schedules", "Schedules"] };
  let isGoing = false;
  const help = () => {
    const dialog = document.createElement("dialog");
    const head = document.createElement("h2");
    head.textContent = "Keys";
    const list = document.createElement("dl");
    list.className = "facts";
    const goes = Object.entries(PLACES).map(([key, [, name]]) => [`g ${key}`, name]);
    for (const [key, what] of [["?", "this list"], ["/", "filter"], ...goes]) {
      const term = document.createElement("dt");
      term.textContent = key;
      const meaning = document.createElement("dd");
      meaning.textContent = what;
      list.append(term, meaning);
    }
    const form = document.createElement("form");
    form.method = "dialog";
    const button = document.createElement("button");
    button.textContent = "Close";
    form.append(button);
    dialog.append(head, list, form);
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
    if (isGoing && PLACES[event.key]) location.assign(PLACES[event.key][0]);
    isGoing = event.key === "g";
    if (event.key === "?") help();
    const filter = document.querySelector("[data-filter], input[type=search], form.filter input");
    if (event.key === "/" && filter) {
      event.preventDefault();
      filter.focus();
    }
  });

  if (document.querySelector("[data-clock]") || isLive) setInterval(tick, 1000);
  tick();
  listen();
})();
