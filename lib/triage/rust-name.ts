// Names of Rust's functions as people write them. The compiler's own names (its mangling "v0") hold a hash of each crate,
// which differs between builds.

/** Deeper or longer names no compiler makes; hostile ones refer back to themselves. */
const MAX_DEPTH = 64;
const MAX_NAME = 256;
const MAX_STEPS = 2000;

const BASIC_TYPES: Readonly<Record<string, string>> = {
  ...{ a: 'i8', b: 'bool', c: 'char', d: 'f64', e: 'str', f: 'f32', h: 'u8', i: 'isize', j: 'usize', l: 'i32' },
  ...{ m: 'u32', n: 'i128', o: 'u128', p: '_', s: 'i16', t: 'u16', u: '()', v: '...', x: 'i64', y: 'u64', z: '!' },
};

class Unreadable extends Error {}

/** Reads one name from its beginning; each method reads what it is called after and gives it as text. */
class Reader {
  #at = 0;
  #depth = 0;
  #steps = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  path(): string {
    return this.#nested(() => {
      switch (this.#next()) {
        case 'C':
          this.#disambiguator();
          return this.#identifier();
        case 'N':
          return this.#inner();
        case 'M':
          this.#implementation();
          return `<${this.#type()}>`;
        case 'X': {
          this.#implementation();
          return `<${this.#type()} as ${this.path()}>`;
        }
        case 'Y':
          return `<${this.#type()} as ${this.path()}>`;
        case 'I':
          return `${this.path()}::<${this.#list(() => this.#argument()).join(', ')}>`;
        case 'B':
          return this.#back(() => this.path());
        default:
          throw new Unreadable();
      }
    });
  }

  /** What stands in a path: capital letters are names that the compiler gave. */
  #inner(): string {
    const space = this.#next();
    const outer = this.path();
    const number = this.#disambiguator();
    const name = this.#identifier();
    if (!/[A-Z]/.test(space)) return `${outer}::${name}`;
    const what = space === 'C' ? 'closure' : space === 'S' ? 'shim' : space;
    return `${outer}::{${what}${name === '' ? '' : `:${name}`}#${number}}`;
  }

  #implementation(): void {
    this.#disambiguator();
    this.path();
  }

  #argument(): string {
    if (this.#takes('L')) {
      this.#base62();
      return "'_";
    }
    return this.#takes('K') ? this.#constant() : this.#type();
  }

  #type(): string {
    return this.#nested(() => {
      const sign = this.#next();
      const basic = BASIC_TYPES[sign];
      if (basic !== undefined) return basic;
      switch (sign) {
        case 'A':
          return `[${this.#type()}; ${this.#constant()}]`;
        case 'S':
          return `[${this.#type()}]`;
        case 'T':
          return `(${this.#list(() => this.#type()).join(', ')})`;
        case 'R':
        case 'Q':
          if (this.#takes('L')) this.#base62();
          return `&${sign === 'Q' ? 'mut ' : ''}${this.#type()}`;
        case 'P':
          return `*const ${this.#type()}`;
        case 'O':
          return `*mut ${this.#type()}`;
        case 'B':
          return this.#back(() => this.#type());
        // Types of functions and traits have too many forms for what is rare.
        case 'F':
        case 'D':
          throw new Unreadable();
        default:
          this.#at--;
          return this.path();
      }
    });
  }

  #constant(): string {
    if (this.#takes('B')) return this.#back(() => this.#constant());
    if (this.#takes('p')) return '_';
    this.#next();
    const digits = /^n?[\da-f]*_/.exec(this.#text.slice(this.#at, this.#at + MAX_NAME))?.[0];
    if (digits === undefined) throw new Unreadable();
    this.#at += digits.length;
    return digits === '_' ? '0' : `0x${digits.slice(0, -1)}`;
  }

  #list(read: () => string): string[] {
    const all: string[] = [];
    while (!this.#takes('E')) all.push(read());
    return all;
  }

  #back(read: () => string): string {
    const to = this.#base62();
    const here = this.#at;
    // Only what stands before may be meant.
    if (to >= here) throw new Unreadable();
    this.#at = to;
    const text = read();
    this.#at = here;
    return text;
  }

  #disambiguator(): number {
    return this.#takes('s') ? this.#base62() + 1 : 0;
  }

  #base62(): number {
    const digits = /^[\dA-Za-z]{0,16}_/.exec(this.#text.slice(this.#at, this.#at + 17))?.[0];
    if (digits === undefined) throw new Unreadable();
    this.#at += digits.length;
    let value = 0;
    for (const digit of digits.slice(0, -1)) value = value * 62 + DIGITS.indexOf(digit);
    return digits === '_' ? 0 : value + 1;
  }

  #identifier(): string {
    if (this.#takes('u')) throw new Unreadable();
    const length = /^(?:0|[1-9]\d{0,2})/.exec(this.#text.slice(this.#at, this.#at + 3))?.[0];
    if (length === undefined) throw new Unreadable();
    this.#at += length.length;
    this.#takes('_');
    const name = this.#text.slice(this.#at, this.#at + Number(length));
    if (name.length !== Number(length)) throw new Unreadable();
    this.#at += name.length;
    return name;
  }

  #next(): string {
    const sign = this.#text[this.#at++];
    if (sign === undefined || this.#steps++ > MAX_STEPS) throw new Unreadable();
    return sign;
  }

  #takes(sign: string): boolean {
    if (this.#text[this.#at] !== sign) return false;
    this.#at++;
    return true;
  }

  #nested(read: () => string): string {
    if (++this.#depth > MAX_DEPTH) throw new Unreadable();
    const text = read();
    this.#depth--;
    if (text.length > MAX_NAME) throw new Unreadable();
    return text;
  }
}

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** `_RNvMs_NtC…4core6option…` as `<core::option::…>`; undefined for what is no such name, or a rare one. */
export function rustName(symbol: string): string | undefined {
  if (!/^_R[A-Z]/.test(symbol)) return undefined;
  try {
    return new Reader(symbol.slice(2)).path();
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}
