// A sheet in the browser. Instructions and answers come into the page through textContent alone: none of them is markup.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { letters, criteria, items } = data;
  const isPair = letters.length === 2;
  const KEPT_AS = `evolray-blind/${data.sheet}`;
  const FENCE = /^\s*(`{3,}|~{3,})/;
  const FORMULA = /^[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/;

  const byId = (id) => document.getElementById(id);
  let at = 0;          // the item that is shown, from 0
  let ratings = {};    // by item's number: {ranks: {A: 1}, criteria: {A: {relevance: 3}}, comment: ""}
  let waiting = "";    // of several answers, the letter that waits for its rank
  let isKept = true;   // whether the browser keeps what is entered
  let isExported = true;

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  // --- what was entered ---

  const shown = () => items[at];
  const ratingOf = (item) => ratings[item.item] || { ranks: {}, criteria: {}, comment: "" };
  const current = () => (ratings[shown().item] = ratingOf(shown()));
  const isRated = (item) => letters.every((letter) => ratingOf(item).ranks[letter]);
  const rated = () => items.filter(isRated).length;

  const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  const isWhole = (value, most) => Number.isInteger(value) && value >= 1 && value <= most;

  // Whatever lies in the browser's storage, only what this page could have written there is taken.
  function checked(entry) {
    const clean = { ranks: {}, criteria: {}, comment: typeof entry.comment === "string" ? entry.comment : "" };
    for (const letter of letters) {
      const rank = isRecord(entry.ranks) ? entry.ranks[letter] : undefined;
      if (isWhole(rank, letters.length)) clean.ranks[letter] = rank;
      const given = isRecord(entry.criteria) ? entry.criteria[letter] : undefined;
      for (const name of isRecord(given) ? criteria : []) {
        if (isWhole(given[name], data.best)) (clean.criteria[letter] ??= {})[name] = given[name];
      }
    }
    return clean;
  }

  function adopt(text) {
    const kept = JSON.parse(text);
    if (!isRecord(kept) || !isRecord(kept.ratings)) return;
    ratings = {};
    for (const item of items) if (isRecord(kept.ratings[item.item])) ratings[item.item] = checked(kept.ratings[item.item]);
    if (Number.isInteger(kept.at) && kept.at >= 0 && kept.at < items.length) at = kept.at;
  }

  function load() {
    try {
      const text = localStorage.getItem(KEPT_AS);
      if (text) adopt(text);
    } catch {
      isKept = false;
    }
  }

  function keep() {
    try {
      localStorage.setItem(KEPT_AS, JSON.stringify({ at, ratings }));
      isKept = true;
    } catch {
      isKept = false;
    }
    if (!isKept) notify("This browser keeps nothing that you enter: export before you close this page.");
  }

  function changed() {
    isExported = false;
    keep();
  }

  // --- the item ---

  // A fenced block is set as code; its fences stay, since they are part of the answer.
  function show(text, into) {
    if (!text.trim()) {
      into.append(make("div", "none", "(empty)"));
      return;
    }
    let lines = [], fence = "";
    const flush = (isCode) => {
      const block = lines.join("\n");
      lines = [];
      if (isCode) {
        const code = make("pre", "code", block);
        code.tabIndex = 0;
        code.setAttribute("role", "group");
        code.setAttribute("aria-label", "Code");
        into.append(code);
      } else if (block.trim()) {
        const plain = make("div", "text", into.childElementCount ? block.replace(/^\n+|\n+$/g, "") : block);
        plain.dir = "auto";
        into.append(plain);
      }
    };
    for (const line of text.split("\n")) {
      const mark = line.match(FENCE);
      if (!fence && mark) {
        flush(false);
        fence = mark[1];
        lines.push(line);
      } else if (fence && mark && mark[1].startsWith(fence) && !line.replace(FENCE, "").trim()) {
        lines.push(line);
        flush(true);
        fence = "";
      } else lines.push(line);
    }
    flush(Boolean(fence));
  }

  function showTurns(texts, into) {
    texts.forEach((text, turn) => {
      if (texts.length > 1) into.append(make("div", "turn", `Turn ${turn + 1}`));
      const part = make("div");
      show(text, part);
      into.append(part);
    });
  }

  function answerCard(letter) {
    const card = make("section", "answer");
    card.id = `answer-${letter}`;
    card.setAttribute("aria-label", `Answer ${letter}`);
    const head = make("div", "head"), body = make("div", "body");
    head.append(make("h3", "", `Answer ${letter}`), isPair ? make("span", "verdict") : rankButtons(letter));
    showTurns(shown().answers[letter], body);
    card.append(head, body);
    if (criteria.length) card.append(criteriaOf(letter));
    return card;
  }

  function rankButtons(letter) {
    const group = make("div", "ranks");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", `Rank of answer ${letter}`);
    group.append(make("span", "soft", "Rank"));
    for (let rank = 1; rank <= letters.length; rank++) {
      const button = make("button", "", String(rank));
      button.type = "button";
      button.dataset.rank = rank;
      button.addEventListener("click", () => rankAs(letter, rank));
      group.append(button);
    }
    return group;
  }

  function criteriaOf(letter) {
    const all = make("div", "criteria");
    for (const name of criteria) {
      const set = make("fieldset"), scale = make("div", "scale");
      set.append(make("legend", "", name.replaceAll("_", " ")), scale);
      for (let value = data.worst; value <= data.best; value++) {
        const label = make("label"), input = make("input");
        input.type = "radio";
        input.name = `${name}-${letter}`;
        input.value = value;
        input.checked = ratingOf(shown()).criteria[letter]?.[name] === value;
        input.setAttribute("aria-label", `${name.replaceAll("_", " ")}, answer ${letter}: ${value}`);
        input.addEventListener("change", () => setCriterion(letter, name, value));
        // After a click, digits are ranks again; whoever came with the keyboard stays.
        input.addEventListener("click", (event) => { if (event.detail > 0) input.blur(); });
        label.append(input, make("span", "", String(value)));
        scale.append(label);
      }
      all.append(set);
    }
    return all;
  }

  function showItem() {
    waiting = "";
    const item = shown();
    byId("item-title").textContent = `Item ${at + 1}`;
    byId("instruction").replaceChildren();
    showTurns(item.turns, byId("instruction"));
    byId("answers").replaceChildren(...letters.map(answerCard));
    byId("comment").value = ratingOf(item).comment;
    showRating();
  }

  // --- the rating of the item ---

  const pairChoice = (ranks) => !(ranks.A && ranks.B) ? "" : ranks.A < ranks.B ? "A" : ranks.A > ranks.B ? "B" : "tie";
  const CHOICES = [["A", "A is better", "1"], ["tie", "Tie", "0"], ["B", "B is better", "2"]];

  function showRating() {
    const ranks = ratingOf(shown()).ranks;
    if (isPair) showPair(pairChoice(ranks)); else showRanks(ranks);
    byId("previous").disabled = at === 0;
    byId("next").disabled = at === items.length - 1;
    byId("unrated").disabled = items.every(isRated);
    byId("progress").textContent = `${at + 1} of ${items.length} · ${rated()} rated`;
    byId("bar").max = items.length;
    byId("bar").value = rated();
  }

  function showPair(choice) {
    if (!byId("choice").childElementCount) {
      for (const [name, words, key] of CHOICES) {
        const button = make("button", "", `${words} `);
        button.type = "button";
        button.dataset.choice = name;
        button.append(make("kbd", "", key));
        button.addEventListener("click", () => choose(name));
        byId("choice").append(button);
      }
    }
    for (const button of byId("choice").children) button.setAttribute("aria-pressed", button.dataset.choice === choice);
    for (const letter of letters) {
      const card = byId(`answer-${letter}`);
      card.classList.toggle("chosen", choice === letter);
      card.querySelector(".verdict").textContent = choice === letter ? "better" : choice === "tie" ? "tie" : "";
    }
  }

  function showRanks(ranks) {
    byId("choice").replaceChildren();
    for (const letter of letters) {
      byId("choice").append(make("span", ranks[letter] ? "said given" : "said", `${letter} ${ranks[letter] || "–"}`));
      const card = byId(`answer-${letter}`);
      card.classList.toggle("waiting", waiting === letter);
      card.classList.toggle("chosen", ranks[letter] === 1);
      for (const button of card.querySelectorAll("[data-rank]")) {
        button.setAttribute("aria-pressed", Number(button.dataset.rank) === ranks[letter]);
      }
    }
  }

  function choose(name) {
    current().ranks = { A: name === "B" ? 2 : 1, B: name === "A" ? 2 : 1 };
    settled(name === "tie" ? "A tie" : `${name} is better`);
  }

  function rankAs(letter, rank) {
    current().ranks[letter] = rank;
    waiting = "";
    settled(`${letter} has rank ${rank}`);
  }

  function clearRanks() {
    current().ranks = {};
    waiting = "";
    settled("Not ranked any more");
  }

  function settled(words) {
    changed();
    showRating();
    announce(`${words}. ${rated()} of ${items.length} rated.`);
    if (items.every(isRated)) notify(`All ${items.length} items are rated. Export them and send the file back.`, true);
    else if (isKept) notify("");
  }

  function setCriterion(letter, name, value) {
    (current().criteria[letter] ??= {})[name] = value;
    changed();
  }

  // --- moving ---

  function go(to) {
    if (to < 0 || to >= items.length) {
      announce(to < 0 ? "This is the first item." : "This is the last item.");
      return;
    }
    at = to;
    keep();
    if (isKept) notify("");
    showItem();
    window.scrollTo(0, 0);
    if (byId("item").contains(document.activeElement)) byId("item").focus({ preventScroll: true });
    announce(`Item ${at + 1} of ${items.length}${isRated(shown()) ? ", rated" : ""}.`);
  }

  function goToUnrated() {
    const first = items.findIndex((item) => !isRated(item));
    if (first >= 0) go(first); else notify(`All ${items.length} items are rated.`, true);
  }

  function announce(words) {
    byId("announced").textContent = words;
  }

  function notify(words, isGood = false) {
    byId("notice").textContent = words;
    byId("notice").hidden = !words;
    byId("notice").classList.toggle("good", isGood);
  }

  // --- export ---

  const hasSomething = (item) => {
    const rating = ratingOf(item);
    return Object.keys(rating.ranks).length || Object.keys(rating.criteria).length || rating.comment.trim();
  };

  function asJson() {
    const entered = items.filter(hasSomething).map((item) => ({ item: item.item, ...ratingOf(item) }));
    return JSON.stringify({ sheet: data.sheet, rater: data.rater, items: items.length, ratings: entered }, null, 1) + "\n";
  }

  function asCsv() {
    const asked = ["rank", ...criteria];
    const rows = [["sheet", "item", ...asked.flatMap((name) => letters.map((letter) => `${name}_${letter}`)), "comment"]];
    for (const item of items) {
      const { ranks, criteria: given, comment } = ratingOf(item);
      const values = letters.map((letter) => ranks[letter]);
      for (const name of criteria) values.push(...letters.map((letter) => given[letter]?.[name]));
      rows.push([data.sheet, item.item, ...values, comment]);
    }
    return "\ufeff" + rows.map((row) => row.map(cell).join(",") + "\r\n").join("");
  }

  function cell(value) {
    const text = String(value ?? "");
    return `"${(FORMULA.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
  }

  function save(text, type, ending) {
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = `${data.rater}.${ending}`;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    isExported = true;
    const done = rated();
    const rest = done < items.length ? ` ${items.length - done} are not rated yet: go on, and export again.` : " Send it back.";
    notify(`Saved ${link.download} with ${done} of ${items.length} ratings.${rest}`, true);
  }

  const exportJson = () => save(asJson(), "application/json", "json");

  // --- keys ---

  const COMMANDS = {
    n: () => go(at + 1), arrowright: () => go(at + 1), p: () => go(at - 1), arrowleft: () => go(at - 1),
    enter: () => go(at + 1), u: goToUnrated, x: exportJson, e: exportJson, delete: clearRanks, backspace: clearRanks,
    m: () => byId("comment").focus(), r: () => firstCriterion()?.focus(), "?": () => byId("help").showModal(),
  };
  const PAIR_COMMANDS = { 1: () => choose("A"), a: () => choose("A"), 2: () => choose("B"), b: () => choose("B"),
    0: () => choose("tie"), "=": () => choose("tie") };

  function firstCriterion() {
    const sets = [...document.querySelectorAll("fieldset")];
    const open = sets.find((set) => !set.querySelector(":checked")) || sets[0];
    return open && (open.querySelector(":checked") || open.querySelector("input"));
  }

  function rankKey(key) {
    const letter = key.toUpperCase();
    if (letters.includes(letter)) {
      waiting = letter;
      announce(`Answer ${letter}: press its rank, 1 to ${letters.length}.`);
      showRating();
      byId(`answer-${letter}`).querySelector(".head").scrollIntoView({ block: "nearest" });
      return true;
    }
    if (!/^\d$/.test(key)) return false;
    const rank = Number(key);
    if (waiting && rank >= 1 && rank <= letters.length) rankAs(waiting, rank);
    else announce(waiting ? `Ranks are 1 to ${letters.length}.` : "Press the answer's letter first, then its rank.");
    return true;
  }

  // With the focus on a criterion its digit sets it, and the focus goes on to the next one.
  function criterionKey(event, input) {
    if (event.key === "Escape") {
      input.blur();
      return true;
    }
    if (event.key.startsWith("Arrow") || event.key === " ") return "native";
    if (!/^\d$/.test(event.key)) return false;
    const set = input.closest("fieldset");
    const wanted = set.querySelector(`input[value="${event.key}"]`);
    if (wanted) {
      wanted.click();
      const sets = [...document.querySelectorAll("fieldset")];
      const next = sets[sets.indexOf(set) + 1];
      if (next) (next.querySelector(":checked") || next.querySelector("input")).focus(); else wanted.blur();
    }
    return true;
  }

  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || byId("help").open) return;
    const target = event.target;
    if (target === byId("comment")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    if (event.key === "Enter" && target.closest("button, a")) return; // it presses the button
    if (target.matches("input[type=radio]")) {
      const done = criterionKey(event, target);
      if (done === "native") return;
      if (done) return event.preventDefault();
    }
    if (target.matches(".code") && event.key.startsWith("Arrow")) return; // it scrolls the code
    const key = event.key.toLowerCase();
    if (key === "escape" && waiting) {
      waiting = "";
      showRating();
    } else if (isPair && Object.hasOwn(PAIR_COMMANDS, key)) {
      if (!event.repeat) PAIR_COMMANDS[key]();
    } else if (!isPair && rankKey(event.key)) {
      // done
    } else if (Object.hasOwn(COMMANDS, key)) {
      COMMANDS[key]();
    } else return;
    event.preventDefault();
  }

  // --- start ---

  document.addEventListener("keydown", press);
  byId("previous").addEventListener("click", () => go(at - 1));
  byId("next").addEventListener("click", () => go(at + 1));
  byId("unrated").addEventListener("click", goToUnrated);
  byId("export").addEventListener("click", exportJson);
  byId("export-csv").addEventListener("click", () => save(asCsv(), "text/csv", "csv"));
  byId("help-button").addEventListener("click", () => byId("help").showModal());
  byId("comment").addEventListener("input", () => { current().comment = byId("comment").value; changed(); });
  // The same sheet in another tab: what was entered there counts here, too.
  window.addEventListener("storage", (event) => {
    if (event.key !== KEPT_AS || !event.newValue) return;
    const here = at;
    try { adopt(event.newValue); } catch { return; }
    at = here;
    showItem();
  });
  window.addEventListener("beforeunload", (event) => { if (!isKept && !isExported) event.preventDefault(); });

  new ResizeObserver(([header]) => {
    document.documentElement.style.setProperty("--under-header", `${header.target.offsetHeight}px`);
  }).observe(document.querySelector("header"));
  load();
  keep();
  showItem();
  document.documentElement.dataset.ready = "";
})();
