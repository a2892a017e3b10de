// Predictions: one click, no penalty. Without scripts and in print they stand open.
(() => {
  "use strict";

  const { LETTERS, element, recall, remember, option } = globalThis.ibChecks;
  const SKIPPED = -1;

  const setUp = (root) => {
    const { name } = root.dataset;
    const right = Number(root.dataset.right);
    const answer = root.querySelector(":scope > .ib-answer");
    const items = [...root.querySelectorAll(":scope > .ib-options > li")];
    const said = element("p", { class: "ib-said" });
    const status = element("div", { role: "status" });
    const skip = element("button", { type: "button", class: "ib-skip" });
    answer.replaceWith(skip, status);
    status.append(said, answer);

    const buttons = items.map((item, place) => {
      const button = element("button", { type: "button" }, ...option(item, place));
      button.addEventListener("click", () => choose(place));
      item.replaceChildren(button);
      return button;
    });

    const show = (place) => {
      const open = place !== null;
      answer.hidden = !open;
      const yours = place === right ? "That is what you predicted." : `You predicted ${LETTERS[place]}.`;
      said.textContent = place in items ? yours : "";
      skip.textContent = open ? "Ask me again" : "Skip";
      buttons.forEach((button, at) => button.setAttribute("aria-pressed", at === place));
      root.toggleAttribute("data-open", open);
    };
    const choose = (place) => {
      remember(name, place);
      show(place);
    };
    skip.addEventListener("click", () => choose(root.hasAttribute("data-open") ? null : SKIPPED));

    show(recall(name));
    root.dataset.ready = "";
  };

  document.querySelectorAll(".ib-prediction:not([data-ready])").forEach(setUp);
})();
