// Fields below an exercise: an answer is typed, chosen or put in order, and judged here.
(() => {
  "use strict";

  const { judges, LETTERS, element, recall, remember, typeset, decoded, contents, option } =
    globalThis.ibChecks;
  const OPENINGS = { right: ["✓", "Right."], wrong: ["✗", "Not yet."], unreadable: ["?", ""] };

  // Each kind of field has its elements, the answer in it (or null), and a way to set it.
  const typed = (id, key, described) => {
    const field = element("input", {
      id,
      type: "text",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
      "aria-describedby": described,
    });
    const label = element("label", { for: id }, `Your answer (${key.wanted})`);
    return {
      parts: [label, field],
      read: () => field.value.trim() || null,
      set: (answer) => {
        field.value = answer;
      },
      missing: `Type ${key.wanted} first.`,
    };
  };

  const chosen = (id, root, described) => {
    const items = [...root.querySelectorAll(":scope > .ib-options > li")];
    const buttons = items.map((item, place) => {
      const button = element("input", { type: "radio", name: id, value: place });
      const label = element("label", {}, button, element("span", {}, ...option(item, place)));
      item.replaceChildren(label);
      return button;
    });
    const list = root.querySelector(":scope > .ib-options");
    const group = element("div", { role: "radiogroup", "aria-labelledby": described });
    group.append(list);
    const read = () => {
      const place = buttons.findIndex((button) => button.checked);
      return place < 0 ? null : place;
    };
    return {
      parts: [group],
      read,
      set: (answer) => {
        buttons[answer].checked = true;
      },
      missing: "Choose one of the options first.",
    };
  };

  const ordered = (root, say) => {
    const list = root.querySelector(":scope > .ib-options");
    const items = [...list.children];
    const move = (item, by) => {
      const place = [...list.children].indexOf(item) + by;
      if (place < 0 || place >= items.length) return;
      if (by < 0) list.children[place].before(item);
      else list.children[place].after(item);
      say(`Step ${LETTERS[items.indexOf(item)]} is now number ${place + 1} of ${items.length}.`);
    };
    items.forEach((item, step) => {
      item.value = step + 1;
      const arrows = [
        ["↑", "up", -1],
        ["↓", "down", 1],
      ].map(([sign, word, by]) => {
        const name = `Move step ${LETTERS[step]} ${word}`;
        const button = element("button", { type: "button", "aria-label": name, title: name }, sign);
        button.addEventListener("click", () => {
          move(item, by);
          button.focus();
        });
        return button;
      });
      const text = element("span", { class: "ib-step" }, ...contents(item));
      const pair = element("span", { class: "ib-arrows" }, ...arrows);
      item.replaceChildren(element("div", { class: "ib-movable" }, text, pair));
    });
    return {
      parts: [],
      read: () => [...list.children].map((item) => items.indexOf(item)),
      set: (answer) => list.append(...answer.map((step) => items[step])),
      missing: "",
    };
  };

  const setUp = (root, number) => {
    const { name, kind } = root.dataset;
    const key = decoded(root.querySelector(":scope > .ib-key").value);
    const id = `ib-question-${number}`;
    const prompt = root.querySelector(":scope > .ib-prompt");
    prompt.id = `${id}-prompt`;
    const reply = element("div", { class: "ib-reply", role: "status" });

    const show = async (...content) => {
      reply.replaceChildren(...content);
      await typeset(reply);
    };
    const say = (sentence) => {
      delete root.dataset.outcome;
      return show(element("p", {}, sentence));
    };
    const fields = { value: () => typed(id, key, prompt.id), choice: () => chosen(id, root, prompt.id) };
    const field = fields[kind]?.() ?? ordered(root, say);

    const answerTo = (answer) => {
      const { outcome, text = "", hint } = judges[kind](key, answer);
      const [sign, opening] = OPENINGS[outcome];
      root.dataset.outcome = outcome;
      const mark = element("span", { class: "ib-mark", "aria-hidden": "true" }, sign);
      const hinted = document.createElement("template");
      hinted.innerHTML = key.hints[hint] ?? "";
      const sentence = [opening, text].filter(Boolean).join(" ");
      const first = element("p", {}, mark, ` ${sentence} `);
      first.append(...(hinted.content.firstElementChild?.childNodes ?? []));
      hinted.content.firstElementChild?.remove();
      return show(first, hinted.content);
    };

    const button = element("button", { type: "submit" }, "Check");
    const form = element("form", { class: "ib-form" }, ...field.parts, button);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const answer = field.read();
      if (answer === null) {
        say(field.missing);
        return;
      }
      remember(name, answer);
      answerTo(answer);
    });
    root.append(form, reply);

    const before = recall(name);
    if (before !== null) {
      field.set(before);
      answerTo(before);
    }
    root.dataset.ready = "";
  };

  document.querySelectorAll(".ib-question:not([data-ready])").forEach(setUp);
})();
