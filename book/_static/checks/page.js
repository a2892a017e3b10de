// What fields and predictions share: making elements, remembering answers, typesetting.
(() => {
  "use strict";

  const { LETTERS } = globalThis.ibChecks;

  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) made.setAttribute(name, "");
      else if (value !== false && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  };

  // A browser may keep nothing, as for private windows; then a page forgets its answers.
  const stored = (name) => `implicit-bias-book/${name}`;
  const recall = (name) => {
    try {
      return JSON.parse(localStorage.getItem(stored(name)));
    } catch {
      return null;
    }
  };
  const remember = (name, answer) => {
    try {
      if (answer === null) localStorage.removeItem(stored(name));
      else localStorage.setItem(stored(name), JSON.stringify(answer));
    } catch {
      // Nothing is kept, and nothing else depends on it.
    }
  };

  const typeset = async (part) => {
    await globalThis.MathJax?.startup?.promise;
    await globalThis.MathJax?.typesetPromise?.([part]);
  };

  // The key of a question is only encoded, so that nobody reads it by accident.
  const decoded = (text) =>
    JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(text), (sign) => sign.codePointAt(0))));

  // What a list item holds, taken out of it and of its paragraph.
  const contents = (item) =>
    [...item.childNodes].flatMap((node) => (node.nodeName === "P" ? [...node.childNodes] : [node]));

  // The same behind its letter, which is seen as the marker of the list: a name for a
  // screen reader where the option is a formula.
  const option = (item, place) => [
    element("span", { class: "ib-unseen" }, `${LETTERS[place]} `),
    ...contents(item),
  ];

  Object.assign(globalThis.ibChecks, {
    option,
    element,
    recall,
    remember,
    typeset,
    decoded,
    contents,
  });
})();
