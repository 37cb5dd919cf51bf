// Arguments that are parsed without yargs mean the same as with it.

import { deepStrictEqual } from 'node:assert/strict';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import type { Arguments, Command } from '../../lib/cli/command.js';
import { commandsFor } from '../../lib/cli/commands.js';
import { COMMAND_NAMES } from '../../lib/cli/main.js';
import { type CommandRow, commandTable, dashed } from '../../lib/cli/option-table.js';
import { runCommand } from '../../lib/cli/parse.js';
import { plainArguments } from '../../lib/cli/plain.js';
import { prepared } from '../../lib/cli/words.js';
import { ROOT } from '../fixture-path.js';

/** What a command would be run with. */
type Taken = Readonly<Record<string, unknown>>;

function taken(args: Arguments, row: CommandRow): Taken {
  const places = [...(row.command.pattern ?? row.command.usage).matchAll(/[<[]([a-z]+)/g)].map(([, name = '']) => name);
  const values: Record<string, unknown> = {};
  for (const name of [...places, ...row.options.flatMap(({ names }) => names)]) {
    values[name] = [args.list(name), args.flag(name)];
  }
  return values;
}

/** With a second command beside it, yargs is asked. */
async function byYargs(argv: readonly string[], row: CommandRow, other: Command): Promise<Taken | undefined> {
  let seen: Taken | undefined;
  const run = (args: Arguments) => {
    seen = taken(args, row);
    return 0;
  };
  await runCommand(argv, [{ ...row.command, run }, other], join(ROOT, 'package.json'));
  return seen;
}

const word = fc.oneof(
  fc.constantFrom('a', '-', '--', 'a=b', '', '0x1', '-5', '-x', '--none', '--n=1', '-ox', 'true', '-o', '--help', 'é'),
  fc.string({ maxLength: 4 }).filter((text) => !text.includes('\0')),
);

/** Words of which most are options that the command has. */
function argumentsFor({ options }: CommandRow) {
  const names = options.flatMap((option) => option.names.map(dashed));
  const option = names.length === 0 ? word : fc.constantFrom(...names);
  const withValue = fc.tuple(option, word).map(([name, value]) => [`${name}=${value}`]);
  const pair = fc.tuple(option, word).map(([name, value]) => [name, value]);
  const one = fc.oneof(withValue, pair, fc.tuple(option), fc.tuple(word), fc.tuple(word));
  return fc.array(one, { maxLength: 6 }).map((parts) => parts.flat());
}

t.test('every command', async (t) => {
  const rows = commandTable(await commandsFor(undefined)).filter(({ name }) => name !== 'mount');
  t.equal(rows.length, COMMAND_NAMES.length);
  let plainly = 0;
  for (const row of rows) {
    const other = rows.find((each) => each !== row)!.command;
    const property = fc.asyncProperty(argumentsFor(row), async (given) => {
      const argv = [row.name, ...given];
      const plain = plainArguments(prepared(argv), row.command);
      if (!plain) return;
      plainly++;
      deepStrictEqual(taken(plain, row), await byYargs(argv, row, other), argv.join(' '));
    });
    await fc.assert(property, { numRuns: 80 });
  }
  t.ok(plainly > 200, `${plainly} without yargs`);
});
