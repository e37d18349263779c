// Where a text stops being JSON, and what is wrong there, in words. Browsers tell it each in their own
// way, and some not at all, so the place is found here; whether a text is JSON, `JSON.parse` decides.

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORD = /[A-Za-z_$][\w$]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})/y;
const SPACE = " \t\n\r";

/** @typedef {{ line: number, column: number, offset: number, reason: string }} JsonSyntaxError */

/**
 * The first syntax error, or null when the text is JSON.
 * @param {string} text
 * @returns {JsonSyntaxError | null}
 */
export function syntaxError(text) {
  try {
    JSON.parse(text);
    return null;
  } catch {
    const { offset, reason } = firstError(text) ?? { offset: text.length, reason: "it breaks off" };
    const before = text.slice(0, offset).split("\n");
    return { line: before.length, column: (before.at(-1) ?? "").length + 1, offset, reason };
  }
}

/**
 * The first place where the text leaves the grammar of RFC 8259, or null.
 * @param {string} text
 * @returns {{ offset: number, reason: string } | null}
 */
export function firstError(text) {
  const reader = new Reader(text);
  try {
    reader.space();
    if (reader.isAtEnd()) reader.fail("there is nothing");
    reader.value();
    reader.space();
    if (!reader.isAtEnd()) reader.fail("nothing may follow the end");
    return null;
  } catch (error) {
    if (error instanceof SyntaxErrorAt) return { offset: error.offset, reason: error.reason };
    if (error instanceof RangeError) return { offset: reader.at, reason: "it is nested too deep" };
    throw error;
  }
}

class SyntaxErrorAt {
  /**
   * @param {number} offset
   * @param {string} reason
   */
  constructor(offset, reason) {
    this.offset = offset;
    this.reason = reason;
  }
}

class Reader {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  /**
   * @param {string} reason
   * @param {number} [offset]
   * @returns {never}
   */
  fail(reason, offset = this.at) {
    throw new SyntaxErrorAt(offset, reason);
  }

  isAtEnd() {
    return this.at >= this.text.length;
  }

  next() {
    return this.text[this.at] ?? "";
  }

  space() {
    while (!this.isAtEnd() && SPACE.includes(this.next())) this.at += 1;
  }

  /**
   * The text that the pattern matches here, which is then behind us, or null.
   * @param {RegExp} pattern
   */
  take(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (!found) return null;
    this.at = pattern.lastIndex;
    return found[0];
  }

  value() {
    this.space();
    if (this.isAtEnd()) this.fail("a value is missing");
    const start = this.at;
    const first = this.next();
    if (first === "{") this.members("}", () => this.member());
    else if (first === "[") this.members("]", () => this.value());
    else if (first === '"') this.string();
    else if (first === "'") this.fail("JSON takes double quotes");
    else if (!this.take(NUMBER)) this.word(start);
    else if (!this.isAtEnd() && /[\w.+-]/.test(this.next())) this.fail("this is not a number", start);
  }

  /** @param {number} start */
  word(start) {
    const word = this.take(WORD);
    if (word && ["true", "false", "null"].includes(word)) return;
    this.fail(word ? "a text needs double quotes; words are true, false and null" : "a value is missing", start);
  }

  /**
   * @param {string} end
   * @param {() => void} read
   */
  members(end, read) {
    const isObject = end === "}";
    this.at += 1;
    this.space();
    if (this.next() === end) {
      this.at += 1;
      return;
    }
    for (;;) {
      read();
      this.space();
      if (this.isAtEnd()) this.fail(`the closing ${end} is missing`);
      const comma = this.at;
      if (this.next() === end) break;
      if (this.next() !== ",") this.fail(`a comma or ${end} is missing`);
      this.at += 1;
      this.space();
      if (this.next() === end) this.fail(`no comma may stand before ${end}`, comma);
      if (isObject && this.isAtEnd()) this.fail(`the closing ${end} is missing`);
    }
    this.at += 1;
  }

  member() {
    this.space();
    if (this.isAtEnd()) this.fail("the closing } is missing");
    if (this.next() !== '"') this.fail("the name of a field needs double quotes");
    this.string();
    this.space();
    if (this.next() !== ":") this.fail("a colon is missing after the name");
    this.at += 1;
    this.value();
  }

  string() {
    const start = this.at;
    this.at += 1;
    while (!this.isAtEnd()) {
      const here = this.next();
      if (here === '"') {
        this.at += 1;
        return;
      }
      if (here === "\n") this.fail("the closing quote is missing; a line break in a text is written \\n", start);
      if (here < " ") this.fail("this character must be escaped in a text");
      if (here !== "\\") this.at += 1;
      else if (!this.take(ESCAPE)) this.fail("this is not an escape; a backslash itself is written \\\\");
    }
    this.fail("the closing quote is missing", start);
  }
}
