// Arguments that nothing is wrong with, parsed by yargs' parser alone: yargs itself takes as long to load as Node to start,
// and is only needed to say what is wrong, or for help.

import parser from 'yargs-parser';
import { Arguments, type Command } from './command.js';
import { type OptionRow, optionsOf } from './option-table.js';
import { PARSER_CONFIGURATION, withoutMark } from './words.js';

/** @returns undefined where something is to be said about them; yargs will say it */
export function plainArguments(words: readonly string[], command: Command): Arguments | undefined {
  const rows = [...optionsOf(command), HELP, VERSION];
  if (words.some((word) => isFlagWithValue(word, rows))) return undefined;
  const { argv, error } = parser.detailed([...words], {
    configuration: PARSER_CONFIGURATION,
    alias: Object.fromEntries(rows.map(({ names }) => [names[0]!, names.slice(1)])),
    boolean: rows.filter(({ takesValue }) => !takesValue).map(({ names }) => names[0]!),
    string: rows.filter(({ takesValue }) => takesValue).map(({ names }) => names[0]!),
    // A number that is none: as many as there are, but one.
    narg: Object.fromEntries(rows.filter(({ needsValue }) => needsValue).map(({ names }) => [names[0]!, Number.NaN])),
  });
  if (error || argv.help || argv.version) return undefined;
  const { _: [, ...given] = [], ...options } = argv;
  const positionals = placed(given.map(String), command);
  if (!positionals) return undefined;
  const all = [positionals, options].flatMap((values) => Object.entries(values));
  if (all.some(([, value]) => [value].flat().some(isOption))) return undefined;
  // `-o=` has no value, which yargs refuses.
  if (Object.values(options).some((value) => [value].flat().includes(''))) return undefined;
  return new Arguments(Object.fromEntries(all.map(([name, value]) => [name, unmarked(value)])));
}

const HELP: OptionRow = { names: ['help', 'h'], takesValue: false, needsValue: false, text: '' };
const VERSION: OptionRow = { names: ['version', 'V'], takesValue: false, needsValue: false, text: '' };

function isFlagWithValue(word: string, rows: readonly OptionRow[]): boolean {
  const [, name] = /^--?([^=]+)=/.exec(word) ?? [];
  return name !== undefined && rows.some(({ names, takesValue }) => !takesValue && names.includes(name));
}

/** An unknown option is among the words that are none. */
function isOption(value: unknown): boolean {
  return typeof value === 'string' && /^-./.test(value);
}

function unmarked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unmarked);
  return typeof value === 'string' ? withoutMark(value) : value;
}

/** The words that are no options, by the names that the command's pattern has for them; undefined where they do not fit. */
function placed(words: readonly string[], { pattern, usage }: Command): Record<string, string | string[]> | undefined {
  const places = [...(pattern ?? usage).matchAll(/([<[])([a-z]+)(\.\.)?[>\]]/g)];
  const values: Record<string, string | string[]> = {};
  let next = 0;
  for (const [, bracket, name = '', many] of places) {
    const left = words.length - next;
    if (left === 0 && bracket === '<') return undefined;
    if (many !== undefined) {
      values[name] = words.slice(next);
      next = words.length;
    } else if (left > 0) values[name] = words[next++]!;
  }
  return next === words.length ? values : undefined;
}
