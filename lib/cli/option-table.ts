// What each command takes, as a table: arguments are parsed by it, and the help, the completion and the manual pages are
// made from the same one.

import type { Argv, Options } from 'yargs';
import type { Command } from './command.js';

export interface OptionRow {
  /** Without dashes: the long ones first. */
  readonly names: readonly string[];
  readonly takesValue: boolean;
  /** Whether the value may not be left out. */
  readonly needsValue: boolean;
  readonly text: string;
}

export interface CommandRow {
  readonly name: string;
  readonly command: Command;
  readonly options: readonly OptionRow[];
}

export function commandTable(commands: readonly Command[]): CommandRow[] {
  return commands.map((command) => {
    const [name = ''] = (command.pattern ?? command.usage).split(' ');
    return { name, command, options: optionsOf(command) };
  });
}

/** Stands where yargs stands, and only writes down which options a command has: yargs takes long to load. */
class OptionList {
  readonly rows: OptionRow[] = [];

  option(name: string, { alias, type, requiresArg, describe }: Options): this {
    const names = [name, ...[alias ?? []].flat()].sort((a, b) => b.length - a.length);
    this.rows.push({
      names,
      takesValue: type !== 'boolean',
      needsValue: requiresArg === true,
      text: describe ?? '',
    });
    return this;
  }

  epilogue(): this {
    return this;
  }
}

export function optionsOf(command: Command): readonly OptionRow[] {
  const list = new OptionList();
  command.build(list as unknown as Argv);
  return list.rows;
}

/** `-S`, `--since`. */
export function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}
