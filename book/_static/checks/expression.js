// Expressions as a reader types them: numbers, variables, + - * / ^, functions, lists.
// The grammar is that of ibcore/questions/grammar.py; a test compares the two.
(() => {
  "use strict";

  const LONGEST = 200;
  const TOKEN =
    /\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([A-Za-z_][A-Za-z_0-9]*)|(\*\*|[-+*/^(),[\]]))/y;
  const GREEK =
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho _ sigma tau upsilon phi chi psi omega".split(
      " ",
    );
  const SIGNS = { "−": "-", "–": "-", "·": "*", "×": "*", "²": "^2", "³": "^3" };
  GREEK.forEach((name, place) => {
    SIGNS[String.fromCharCode("α".charCodeAt(0) + place)] = ` ${name} `;
  });
  const CONSTANTS = new Map([
    ["pi", Math.PI],
    ["e", Math.E],
  ]);
  const FUNCTIONS = new Map(
    Object.entries({
      abs: Math.abs,
      arctan: Math.atan,
      cos: Math.cos,
      cosh: Math.cosh,
      exp: Math.exp,
      ln: Math.log,
      log: Math.log,
      log10: Math.log10,
      log2: Math.log2,
      max: (x, y) => Math.max(x, y),
      min: (x, y) => Math.min(x, y),
      sign: Math.sign,
      sin: Math.sin,
      sinh: Math.sinh,
      sqrt: Math.sqrt,
      tan: Math.tan,
      tanh: Math.tanh,
    }),
  );
  const UNREADABLE =
    "This cannot be read: write 1/2, 1e-3, sqrt(2) or 2*x^2, with * in products.";

  class NotAnExpression extends Error {}

  const tokens = (given) => {
    const text = [...given]
      .map((sign) => SIGNS[sign] ?? sign)
      .join("")
      .trim();
    const found = [];
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < text.length && text.length <= LONGEST) {
      const match = TOKEN.exec(text);
      if (!match) throw new NotAnExpression(UNREADABLE);
      const [, number, name, sign] = match;
      found.push({ number, name, sign: sign === "**" ? "^" : sign });
    }
    if (found.length === 0) throw new NotAnExpression(UNREADABLE);
    return found;
  };

  // Every parsing function returns a function of a Map from variables to values. A value
  // that is no finite number ends the evaluation.
  const finite = (value) => {
    if (!Number.isFinite(value)) throw new RangeError("not finite");
    return value;
  };

  class Parser {
    constructor(text, variables) {
      this.tokens = tokens(text);
      this.variables = variables;
      this.place = 0;
    }

    next() {
      return this.tokens[this.place] ?? {};
    }

    takes(...signs) {
      const { sign } = this.next();
      if (!signs.includes(sign)) return undefined;
      this.place += 1;
      return sign;
    }

    expects(sign) {
      if (!this.takes(sign)) throw new NotAnExpression(UNREADABLE);
    }

    // At the top: one expression or several, with or without brackets.
    parts() {
      const found = this.list(() => this.sum());
      if (this.place < this.tokens.length) throw new NotAnExpression(UNREADABLE);
      if (found.length > 1) return found.map(scalar);
      return Array.isArray(found[0]) ? found[0] : found;
    }

    list(item) {
      const found = [item()];
      while (this.takes(",")) found.push(item());
      return found;
    }

    sum() {
      return this.leftward(["+", "-"], () => this.product());
    }

    product() {
      return this.leftward(["*", "/"], () => this.signed());
    }

    leftward(signs, operand) {
      let left = operand();
      for (let sign = this.takes(...signs); sign; sign = this.takes(...signs)) {
        left = combined(sign, scalar(left), scalar(operand()));
      }
      return left;
    }

    signed() {
      const sign = this.takes("+", "-");
      if (!sign) return this.power();
      const inner = scalar(this.signed());
      return sign === "-" ? (at) => -inner(at) : inner;
    }

    power() {
      const base = this.atom();
      if (!this.takes("^")) return base;
      return combined("^", scalar(base), scalar(this.signed()));
    }

    atom() {
      if (this.takes("(")) return this.bracket(")");
      if (this.takes("[")) return this.bracket("]", true);
      const { number, name } = this.next();
      if (number === undefined && name === undefined) throw new NotAnExpression(UNREADABLE);
      this.place += 1;
      if (number !== undefined) return () => finite(Number(number));
      return this.next().sign === "(" ? this.call(name) : this.variable(name);
    }

    bracket(end, isList = false) {
      const found = this.list(() => this.sum());
      this.expects(end);
      return isList || found.length > 1 ? found.map(scalar) : found[0];
    }

    call(name) {
      const compute = FUNCTIONS.get(name);
      if (!compute || this.variables.includes(name)) {
        throw new NotAnExpression(`${name} is no function here: write products with *.`);
      }
      this.expects("(");
      const given = this.list(() => scalar(this.sum()));
      this.expects(")");
      if (given.length !== compute.length) throw new NotAnExpression(UNREADABLE);
      return (at) => finite(compute(...given.map((part) => part(at))));
    }

    variable(name) {
      if (this.variables.includes(name)) return (at) => finite(at.get(name));
      if (CONSTANTS.has(name)) return () => CONSTANTS.get(name);
      const known = this.variables.length
        ? `the variables are ${this.variables.join(", ")}`
        : "no name is";
      throw new NotAnExpression(`${name} is not known here; ${known}.`);
    }
  }

  const scalar = (part) => {
    if (Array.isArray(part)) throw new NotAnExpression(UNREADABLE);
    return part;
  };

  const OPERATORS = {
    "+": (x, y) => x + y,
    "-": (x, y) => x - y,
    "*": (x, y) => x * y,
    "/": (x, y) => x / y,
    "^": (x, y) => x ** y,
  };

  const combined = (sign, left, right) => (at) => finite(OPERATORS[sign](left(at), right(at)));

  // The values of the parts of `text` at a point, an object; NaN where one is not finite.
  const parse = (text, variables = []) => {
    const parts = new Parser(text, variables).parts();
    return (point) => {
      const at = new Map(Object.entries(point));
      return parts.map((part) => {
        try {
          return part(at);
        } catch (error) {
          if (error instanceof RangeError) return Number.NaN;
          throw error;
        }
      });
    };
  };

  globalThis.ibChecks = { parse, NotAnExpression };
})();
