// What each command takes, as a table: the help, the completion and the manual pages are made from the same one.

import yargs, { type Argv } from 'yargs';
import type { Command } from './command.js';

export interface OptionRow {
  /** Without dashes: the long ones first. */
  readonly names: readonly string[];
  readonly takesValue: boolean;
  readonly text: string;
}

export interface CommandRow {
  readonly name: string;
  readonly command: Command;
  readonly options: readonly OptionRow[];
}

/** What yargs' types leave out. */
interface Inner {
  getOptions(): { key: Record<string, boolean>; boolean: string[]; alias: Record<string, string[]> };
  getInternalMethods(): { getUsageInstance(): { getDescriptions(): Record<string, string | undefined> } };
}

export function commandTable(commands: readonly Command[]): CommandRow[] {
  return commands.map((command) => {
    const [name = ''] = (command.pattern ?? command.usage).split(' ');
    return { name, command, options: optionsOf(command) };
  });
}

function optionsOf(command: Command): OptionRow[] {
  const built = command.build(yargs().help(false).version(false) as Argv) as unknown as Inner;
  const { key, boolean, alias } = built.getOptions();
  const texts = built.getInternalMethods().getUsageInstance().getDescriptions();
  const seen = new Set<string>();
  const rows: OptionRow[] = [];
  for (const name of Object.keys(key)) {
    if (seen.has(name)) continue;
    const names = [name, ...(alias[name] ?? [])].sort((a, b) => b.length - a.length);
    for (const one of names) seen.add(one);
    const text = names.map((one) => texts[one]).find((one) => one !== undefined && one !== '') ?? '';
    rows.push({
      names,
      takesValue: !names.some((one) => boolean.includes(one)),
      text: text.replace(/^__yargsString__:/, ''),
    });
  }
  return rows;
}

/** `-S`, `--since`. */
export function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}
