// Lines that fit a terminal, cut between words.

import { printable, wrapped } from './print.js';

/** A label, and the words of its value beside it; below it, where one of them does not fit there. */
export function besideLabel(label: string, words: readonly string[], columns: number): string[] {
  const beside = folded(words, columns - label.length);
  const fits = beside.every((line) => line.length <= columns - label.length);
  if (!fits) return [label.trimEnd(), ...folded(words, columns - 2).map((line) => `  ${line}`)];
  return beside.map((line, i) => `${i === 0 ? label : ' '.repeat(label.length)}${line}`);
}

/** Words of an image or of ours, in lines of so many columns. */
export function folded(words: readonly string[], columns: number): string[] {
  return wrapped(words.map(printable), columns);
}

/** A help text, of which no line is longer, if a word is not: a long one goes on where the text of its column begins. */
export function foldedHelp(text: string, columns: number): string {
  const lines = text.split('\n').flatMap((line) => (line.length <= columns ? [line] : foldedLine(line, columns)));
  return lines.join('\n');
}

const INDENT = ' '.repeat(6);

/** Columns of a help text are two spaces apart. */
function foldedLine(line: string, columns: number): string[] {
  const [label] = /^ *(?:\S+ )*\S+ {2,}/.exec(line) ?? [''];
  const words = line.slice(label.length).split(/ +/);
  if (label.length <= columns / 2) return besideLabel(label, words, columns);
  // Beside such a label there is no room for more than single words.
  return [label.trimEnd(), ...besideLabel(INDENT, words, columns)];
}
