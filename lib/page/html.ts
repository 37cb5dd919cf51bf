// HTML that no text can break out of: whatever is put into a template is escaped, unless it is markup itself, and what
// turns the direction of text is written out.

import { printableLines } from '../printable.js';

export class Markup {
  readonly text: string;

  /** Only of what is known to be markup: html`` makes one of anything. */
  constructor(text: string) {
    this.text = text;
  }
}

type Value = Markup | readonly Markup[] | string | number | null | undefined | false;

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** In text, and in attributes between double quotes. */
function escaped(text: string): string {
  return printableLines(text).replace(/[&<>"]/g, (character) => ENTITIES[character]!);
}

/** Text of an element, in as few characters as it can be. */
export function textMarkup(text: string): Markup {
  return new Markup(text.replaceAll('&', '&amp;').replaceAll('<', '&lt;'));
}

/** Attributes are always written between double quotes. */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Markup {
  let text = strings[0]!;
  for (const [i, value] of values.entries()) text += valueText(value) + strings[i + 1]!;
  return new Markup(text);
}

function valueText(value: Value): string {
  if (value === null || value === undefined || value === false) return '';
  if (value instanceof Markup) return value.text;
  if (typeof value === 'object') return value.map(({ text }) => text).join('');
  return escaped(String(value));
}

export const NOTHING = new Markup('');
