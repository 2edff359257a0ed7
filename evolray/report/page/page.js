// The lineage browser. Texts of the run come into the page through textContent alone, so none of them is ever markup.
"use strict";
(() => {
  const PAGE_ROWS = 50;        // of the list at a time
  const FOLD_CHARS = 1500;     // of a text before it is folded
  const MOST_DIFF_TOKENS = 900; // of either text when changes are marked
  const SEARCH_DELAY_MS = 150;

  const byId = (id) => document.getElementById(id);
  const browser = byId("browser");
  if (!browser) return;
  const isRefine = browser.dataset.stage === "refine";
  const FATES = { kept: isRefine ? "in the mix" : "kept", eliminated: "eliminated", failed: "failed", dropped: "dropped" };

  let index = null;        // {tables: {f, o, w, source}, chunks: [sizes], entries: [[root, title, source, outcomes]]}
  let starts = [];         // the first entry of every chunk
  const chunks = [];       // opened chunks
  const texts = [];        // of every entry, in small letters, once the first search has opened them
  let matches = [];        // entries that are listed
  let listed = 0;          // how many of them are in the list
  let selected = -1;       // an entry
  let terms = [];
  let turn = 0;            // a new search ends the one before

  // --- small helpers ---

  const words = (name) => name.replaceAll("_", " ");
  const number = (value) => value.toLocaleString("en-US");

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  const isNarrow = () => !window.matchMedia("(min-width: 60.01rem)").matches;

  function bdi(text) {
    return make("bdi", "", text);
  }

  // --- the data ---

  async function open(piece) {
    const element = byId(`piece-${piece}`);
    const raw = atob(element.textContent);
    const bytes = new Uint8Array(raw.length);
    for (let at = 0; at < raw.length; at++) bytes[at] = raw.charCodeAt(at);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  async function chunk(at) {
    if (!chunks[at]) chunks[at] = open(at + 1);
    return chunks[at];
  }

  function chunkOf(entry) {
    let low = 0, high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= entry) low = middle; else high = middle - 1;
    }
    return low;
  }

  async function lineage(entry) {
    const at = chunkOf(entry);
    return (await chunk(at))[entry - starts[at]];
  }

  // --- search and filters ---

  function parse(query) {
    const found = query.toLowerCase().match(/"[^"]+"?|\S+/g) || [];
    return found.map((term) => term.replaceAll('"', "").trim()).filter(Boolean);
  }

  function searchable(one) {
    const parts = [one.root, one.source];
    for (const outcome of one.outcomes) {
      parts.push(outcome.i, outcome.r, outcome.m, outcome.o, outcome.w, ...(outcome.s || []));
      for (const earlier of outcome.c || []) parts.push(earlier[1]);
    }
    return parts.filter(Boolean).join("\n").toLowerCase();
  }

  async function openTexts(mine) {
    for (let at = 0; at < starts.length; at++) {
      if (texts[starts[at]] !== undefined) continue;
      status(`Opening the texts: ${number(at)} of ${number(starts.length)} parts`);
      const lineages = await chunk(at);
      lineages.forEach((one, offset) => { texts[starts[at] + offset] = searchable(one); });
      if (mine !== turn) return false;
    }
    return true;
  }

  function wantedNumbers() {
    const number = (name) => { const value = byId(`by-${name}`).value; return value === "" ? -1 : Number(value); };
    return { f: number("f"), o: number("o"), w: number("w"), source: number("source") };
  }

  function fits(entry, wanted) {
    const [, , source, outcomes] = index.entries[entry];
    if (wanted.source >= 0 && source !== wanted.source) return false;
    if (wanted.f < 0 && wanted.o < 0 && wanted.w < 0) return true;
    for (let at = 0; at < outcomes.length; at += 3) {
      if ((wanted.f < 0 || outcomes[at] === wanted.f) && (wanted.o < 0 || outcomes[at + 1] === wanted.o)
        && (wanted.w < 0 || outcomes[at + 2] === wanted.w)) return true;
    }
    return false;
  }

  async function search() {
    const mine = ++turn;
    const query = byId("query").value;
    terms = parse(query);
    if (terms.length && !(await openTexts(mine))) return;
    const wanted = wantedNumbers();
    matches = [];
    for (let entry = 0; entry < index.entries.length; entry++) {
      if (fits(entry, wanted) && terms.every((term) => texts[entry].includes(term))) matches.push(entry);
    }
    byId("list").replaceChildren();
    listed = 0;
    list();
    const all = number(index.entries.length);
    status(matches.length === index.entries.length ? `${all} lineages` : `${number(matches.length)} of ${all} lineages`);
    byId("status").dataset.query = query;
    if (selected >= 0 && terms.length) select(selected, false);
  }

  function status(text) {
    byId("status").textContent = text;
  }

  // --- the list ---

  function list() {
    const rows = document.createDocumentFragment();
    for (const entry of matches.slice(listed, listed + PAGE_ROWS)) rows.append(row(entry));
    byId("list").append(rows);
    listed = Math.min(listed + PAGE_ROWS, matches.length);
    const more = byId("more");
    more.hidden = listed >= matches.length;
    more.textContent = `Show ${number(Math.min(PAGE_ROWS, matches.length - listed))} more`;
  }

  function row(entry) {
    const [, title, , outcomes] = index.entries[entry];
    const item = make("li"), button = make("button", "row"), dots = make("span", "dots");
    const counts = {};
    for (let at = 0; at < outcomes.length; at += 3) {
      const fate = index.tables.f[outcomes[at]];
      counts[fate] = (counts[fate] || 0) + 1;
      dots.append(make("i", fate));
    }
    const said = Object.entries(counts).map(([fate, count]) => `${count} ${FATES[fate]}`).join(", ");
    dots.title = said;
    const name = make("span", "title", title || "(no text)");
    name.dir = "auto";
    button.type = "button";
    button.dataset.entry = entry;
    button.append(name, dots, make("span", "hidden", said));
    if (entry === selected) button.setAttribute("aria-current", "true");
    item.append(button);
    return item;
  }

  function markCurrent() {
    for (const button of byId("list").querySelectorAll("button.row")) {
      if (Number(button.dataset.entry) === selected) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }

  // --- one lineage ---

  async function select(entry, takeFocus) {
    selected = entry;
    markCurrent();
    const one = await lineage(entry);
    if (selected !== entry) return;
    const detail = byId("detail");
    detail.replaceChildren(head(one, entry), ...tree(one));
    browser.classList.add("opened");
    try {
      history.replaceState(null, "", `#lineage=${encodeURIComponent(one.root)}${one.source ? `,${encodeURIComponent(one.source)}` : ""}`);
    } catch { /* some viewers of local files forbid it; the link is a convenience */ }
    if (takeFocus) { detail.focus({ preventScroll: true }); reveal(detail); }
  }

  function reveal(detail) {
    const top = detail.getBoundingClientRect().top;
    if (isNarrow() || top < 0 || top > window.innerHeight * 0.6) detail.scrollIntoView({ block: "start" });
  }

  function head(one, entry) {
    const bar = make("div", "bar");
    const back = button("Back to the list", "back", () => { close(); });
    const place = matches.indexOf(entry);
    const before = button("Previous", "", () => select(matches[place - 1], true));
    const next = button("Next", "", () => select(matches[place + 1], true));
    before.disabled = place <= 0;
    next.disabled = place < 0 || place >= matches.length - 1;
    const id = make("code", "", one.root);
    const name = make("span", "name");
    if (one.source) name.append(bdi(one.source), " ");
    name.append(id);
    bar.append(back, name, before, next);
    return bar;
  }

  function button(text, className, onClick) {
    const made = make("button", className, text);
    made.type = "button";
    made.addEventListener("click", onClick);
    return made;
  }

  function close() {
    browser.classList.remove("opened");
    if (isNarrow()) browser.scrollIntoView();
    const current = byId("list").querySelector("[aria-current]");
    if (current) current.focus();
  }

  function tree(one) {
    const list = make("ol", "tree");
    const byGeneration = new Map();
    for (const outcome of one.outcomes) {
      if (outcome.f !== "eliminated" && outcome.f !== "failed" && !byGeneration.has(outcome.g)) byGeneration.set(outcome.g, outcome);
    }
    for (const outcome of one.outcomes) list.append(node(outcome, byGeneration.get(outcome.p)));
    return [list];
  }

  function node(outcome, parent) {
    const item = make("li", `node ${outcome.f}`);
    const title = make("h4");
    title.append(make("span", "generation", outcome.g === 0 ? "seed" : `generation ${outcome.g}`));
    if (outcome.o && outcome.o !== "seed") title.append(" ", bdi(words(outcome.o)));
    if (outcome.v) title.append(" (", bdi(words(outcome.v)), ")");
    const fate = make("span", `fate ${outcome.f}`, FATES[outcome.f] + (outcome.w ? `: ${words(outcome.w)}` : ""));
    title.append(" ", fate);
    item.append(title);
    const about = [];
    if (outcome.p >= 0 && outcome.p !== outcome.g - 1) about.push(outcome.p ? `from generation ${outcome.p}` : "from the seed");
    if (outcome.d) about.push(`difficulty ${outcome.d}`);
    if (outcome.s) about.push(outcome.s.join(", "));
    if (about.length) item.append(make("p", "note", about.join(" · ")));
    if (outcome.m) { const message = make("p", "message"); message.append(marked(outcome.m)); item.append(message); }
    if (outcome.c) item.append(folded(`${outcome.c.length} earlier turns`, outcome.c.map(([role, text, chars]) => {
      const turn = make("div", "turn");
      turn.append(make("b", "", role), said(text, chars));
      return turn;
    }), outcome.c.some(([, text]) => hit(text))));
    if (outcome.i) item.append(said(outcome.i, outcome.il, parent && parent.i));
    if (outcome.r) {
      const by = outcome.t ? ` by ${outcome.t}` : "";
      item.append(folded(`Response${by}, ${number(outcome.rl || outcome.r.length)} characters`, [said(outcome.r, outcome.rl)], hit(outcome.r)));
    }
    return item;
  }

  function hit(text) {
    const low = text.toLowerCase();
    return terms.some((term) => low.includes(term));
  }

  function folded(summary, content, isOpen) {
    const details = make("details"), title = make("summary");
    title.append(bdi(summary));
    details.append(title, ...content);
    details.open = isOpen;
    return details;
  }

  // A text of the run: folded when it is long, with search terms or else what is new in it marked.
  function said(text, allChars, parent) {
    const box = make("div"), content = make("div", "said");
    content.dir = "auto";
    const isHit = terms.length > 0 && hit(text);
    const fill = (shown) => {
      content.replaceChildren(isHit || !parent ? marked(shown) : changed(parent, shown));
    };
    box.append(content);
    const isLong = text.length > FOLD_CHARS * 1.2 && !(isHit && !hit(text.slice(0, FOLD_CHARS)));
    fill(isLong ? text.slice(0, FOLD_CHARS) : text);
    if (isLong) {
      const more = button(`Show all ${number(text.length)} characters`, "unfold", () => { fill(text); more.remove(); if (note) note.hidden = false; });
      box.append(more);
    }
    const note = allChars ? make("p", "note", `The first ${number(text.length)} of ${number(allChars)} characters are in this page.`) : null;
    if (note) { note.hidden = isLong; box.append(note); }
    return box;
  }

  function marked(text) {
    const parts = document.createDocumentFragment(), low = text.toLowerCase();
    if (low.length !== text.length) { parts.append(text); return parts; } // some letters change their length
    let at = 0;
    while (at < text.length) {
      let first = -1, length = 0;
      for (const term of terms) {
        const found = low.indexOf(term, at);
        if (found >= 0 && (first < 0 || found < first || (found === first && term.length > length))) { first = found; length = term.length; }
      }
      if (first < 0) break;
      parts.append(text.slice(at, first), make("mark", "", text.slice(first, first + length)));
      at = first + length;
    }
    parts.append(text.slice(at));
    return parts;
  }

  const TOKEN = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]|[\p{L}\p{M}\p{N}_'’]+|\s+|[^]/gu;

  // Words that the parent has not, by the longest common subsequence; long texts stay as they are.
  function changed(before, after) {
    const parts = document.createDocumentFragment();
    const old = before.match(TOKEN) || [], now = after.match(TOKEN) || [];
    if (old.length > MOST_DIFF_TOKENS || now.length > MOST_DIFF_TOKENS) { parts.append(after); return parts; }
    const width = now.length + 1, table = new Uint16Array((old.length + 1) * width);
    for (let i = old.length - 1; i >= 0; i--) {
      for (let j = now.length - 1; j >= 0; j--) {
        table[i * width + j] = old[i] === now[j]
          ? table[(i + 1) * width + j + 1] + 1
          : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
      }
    }
    if (table[0] < 0.3 * Math.min(old.length, now.length)) { parts.append(after); return parts; } // another text
    let i = 0, j = 0, same = "", fresh = "";
    const flush = () => {
      if (same) parts.append(same);
      const [, blank, said, end] = /^(\s*)([^]*?)(\s*)$/.exec(fresh);
      if (said) parts.append(blank, make("ins", "", said), end); else parts.append(fresh);
      same = fresh = "";
    };
    while (j < now.length) {
      if (i < old.length && old[i] === now[j]) { if (fresh) flush(); same += now[j]; i++; j++; }
      else if (i < old.length && table[(i + 1) * width + j] >= table[i * width + j + 1]) i++;
      else { if (same) flush(); fresh += now[j]; j++; }
    }
    flush();
    return parts;
  }

  // --- keys and links ---

  function onKey(event) {
    const target = event.target, isTyping = target.matches("input, select, textarea");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && !isTyping) { event.preventDefault(); byId("query").focus(); return; }
    if (event.key === "Escape" && byId("detail").contains(target)) { close(); return; }
    const inList = target.matches("button.row");
    if ((event.key === "ArrowDown" || event.key === "ArrowUp") && (inList || target.id === "query")) {
      const rows = [...byId("list").querySelectorAll("button.row")];
      const to = inList ? rows.indexOf(target) + (event.key === "ArrowDown" ? 1 : -1) : 0;
      if (to === rows.length && !byId("more").hidden) { event.preventDefault(); byId("more").focus(); return; }
      const row = to < 0 ? byId("query") : rows[to];
      if (row) { event.preventDefault(); row.focus(); }
    }
  }

  function fromLink() {
    const found = /^#lineage=([^,]*)(?:,(.*))?$/.exec(location.hash);
    if (!found) return;
    let root, source;
    try { root = decodeURIComponent(found[1]); source = decodeURIComponent(found[2] || ""); } catch { return; }
    const entry = find(root, source);
    if (entry >= 0) { select(entry, true); byId("lineages").scrollIntoView(); }
  }

  function find(root, source) {
    return index.entries.findIndex((one) => one[0] === root && (!source || index.tables.source[one[2]] === source));
  }

  function fillFilters() {
    for (const name of ["f", "o", "w", "source"]) {
      const options = index.tables[name].map((value, at) => [value, at]).filter(([value]) => value);
      options.sort((a, b) => (a[0] < b[0] ? -1 : 1));
      for (const [value, at] of options) {
        const option = make("option", "", name === "f" ? FATES[value] : name === "source" ? value : words(value));
        option.value = at;
        byId(`by-${name}`).append(option);
      }
      byId(`by-${name}`).parentElement.hidden = options.length < 2 && name !== "o" && name !== "w" && name !== "f";
    }
  }

  // Links from the examples, where the lineage is in the page.
  function showJumps() {
    for (const link of document.querySelectorAll("a.jump")) {
      const entry = find(link.dataset.root, link.dataset.source);
      if (entry < 0) continue;
      link.hidden = false;
      link.addEventListener("click", (event) => {
        event.preventDefault();
        byId("lineages").scrollIntoView();
        select(entry, true);
      });
    }
  }

  function listen() {
    let waiting = 0;
    byId("query").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(search, SEARCH_DELAY_MS); });
    byId("filters").addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(waiting); search(); });
    for (const name of ["f", "o", "w", "source"]) byId(`by-${name}`).addEventListener("change", search);
    byId("more").addEventListener("click", () => {
      const before = listed;
      list();
      const row = byId("list").children[before];
      if (row) row.firstChild.focus();
    });
    byId("list").addEventListener("click", (event) => {
      const row = event.target.closest("button.row");
      if (row) select(Number(row.dataset.entry), true);
    });
    document.addEventListener("keydown", onKey);
    window.addEventListener("hashchange", fromLink);
    let shut = [];
    window.addEventListener("beforeprint", () => {
      shut = [...document.querySelectorAll("details.group:not([open]), details.folded:not([open])")];
      for (const one of shut) one.open = true;
    });
    window.addEventListener("afterprint", () => { for (const one of shut) one.open = false; });
  }

  async function start() {
    browser.hidden = false;
    if (typeof DecompressionStream === "undefined") {
      status("This browser cannot open the texts in this page; Chrome 80, Firefox 113 or Safari 16.4 and later can.");
      return;
    }
    index = await open(0);
    let at = 0;
    starts = index.chunks.map((size) => { const start = at; at += size; return start; });
    fillFilters();
    listen();
    await search();
    if (location.hash.startsWith("#lineage=")) fromLink();
    else if (matches.length && !isNarrow()) first();
    document.documentElement.dataset.ready = String(Math.round(performance.now()));
    showJumps();
  }

  // On a wide screen the first lineage with an elimination is shown at once, without taking the focus or the address.
  async function first() {
    const eliminated = index.tables.f.findIndex((fate) => fate !== "kept");
    const entry = Math.max(matches.findIndex((one) => index.entries[one][3].some((value, at) => at % 3 === 0 && value === eliminated)), 0);
    selected = matches[entry];
    markCurrent();
    const one = await lineage(selected);
    byId("detail").replaceChildren(head(one, selected), ...tree(one));
  }

  start();
})();
