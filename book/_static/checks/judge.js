// What is said to an answer: {outcome, text, hint}, where hint is a number among the
// hints of the question. The rules are those of ibcore/questions; a test compares them.
(() => {
  "use strict";

  const { parse, NotAnExpression } = globalThis.ibChecks;
  const LETTERS = "abcdefghijklmnopqrstuvwxyz";
  const unreadable = (text) => ({ outcome: "unreadable", text });

  const near = (given, wanted, allowed) =>
    given.length === wanted.length &&
    given.every((row, part) =>
      row.every((x, point) => Math.abs(x - wanted[part][point]) <= allowed[part][point]),
    );

  const count = (got, expected) =>
    expected === 1
      ? `One value is expected, not ${got}; a decimal point is written as 0.5.`
      : `${expected} values are expected, separated by commas, not ${got}.`;

  // An answer is the text in the field.
  const value = (key, answer) => {
    let rows;
    try {
      const at = parse(answer, Object.keys(key.points[0]));
      const columns = key.points.map(at);
      rows = columns[0].map((_, part) => columns.map((column) => column[part]));
    } catch (error) {
      if (error instanceof NotAnExpression) return unreadable(error.message);
      throw error;
    }
    if (rows.length !== key.right.length) return unreadable(count(rows.length, key.right.length));
    if (!rows.flat().every(Number.isFinite)) {
      return unreadable("This is not a finite number everywhere.");
    }
    if (near(rows, key.right, key.allowed)) return { outcome: "right" };
    const hint = key.wrong.findIndex((wrong) => near(rows, wrong, key.allowed));
    return hint < 0 ? { outcome: "wrong" } : { outcome: "wrong", hint };
  };

  // An answer is the number of an option.
  const choice = (key, answer) =>
    answer === key.right ? { outcome: "right" } : { outcome: "wrong", hint: answer };

  // An answer lists the numbers of the shown steps in the reader's order.
  const order = (key, answer) => {
    const place = answer.findIndex((step, at) => {
      const before = answer.slice(0, at);
      return !key.needs[step].every((one) => before.includes(one));
    });
    if (place < 0) return { outcome: "right" };
    const stands = ["", "The first can stand. "][place] ?? `The first ${place} can stand. `;
    const text = `${stands}Step ${LETTERS[answer[place]]} needs one that comes later.`;
    return { outcome: "wrong", text, hint: 0 };
  };

  Object.assign(globalThis.ibChecks, { judges: { value, choice, order }, LETTERS });
})();
