// The words of a command line, made ready for the parser.

import { WHEN } from './color.js';

/** How yargs and its parser alone take the words. */
export const PARSER_CONFIGURATION = {
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'camel-case-expansion': false,
  'boolean-negation': false,
  // Else the word after an unknown option would be taken for its value.
  'unknown-options-as-args': true,
} as const;

/**
 * Put in front of `-`, and of each argument after `--`: yargs would not hand these to a command. No argument can have
 * this character.
 */
const LITERAL = '\0';

/** `-oro` is `-o ro`, as other FUSE programs take it; `-` is standard input; after `--` nothing is an option. */
export function prepared(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  const options = end < 0 ? argv : argv.slice(0, end);
  const literals = end < 0 ? [] : argv.slice(end + 1).map((arg) => LITERAL + arg);
  const word = (arg: string) => (/^-o[^=]/.test(arg) ? ['-o', arg.slice(2)] : [arg === '-' ? LITERAL + arg : arg]);
  return [...withValues(options).flatMap(word), ...literals];
}

/** Options whose value may begin with a dash: `--since -2h`; of a count it is said what is wrong with it. */
const OF_ANY_VALUE = /^(?:--since|--until|-S|-U|--grep|-g|-n|-j|--jobs)$/;

/** `ls --color FILE` is what ls(1) and dmesg(1) have accustomed people to. */
function isWhen(word = ''): boolean {
  return (WHEN as readonly string[]).includes(word);
}

/** Such an option and its value as one word, which cannot be taken for another option. */
function withValues(words: readonly string[]): string[] {
  const together: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === '--color' && !isWhen(words[i + 1])) {
      together.push('--color=always');
      continue;
    }
    const [, option = word, given] = /^(--(?:since|until|grep|jobs))=(.*)$/s.exec(word) ?? [];
    const value = given ?? words[i + 1];
    if (!OF_ANY_VALUE.test(option) || value === undefined) {
      together.push(word);
      continue;
    }
    together.push(`${option}=${LITERAL}${value}`);
    if (given === undefined) i++;
  }
  return together;
}

/** A word as it was given. */
export function withoutMark(word: string): string {
  return word.startsWith(LITERAL) ? word.slice(LITERAL.length) : word;
}
