// The command line: which command it is, and what becomes of what it throws.

import { fileURLToPath } from 'node:url';
import type { Argv } from 'yargs';
import { PstoreError } from '../errors.js';
import { launch, WITH_FUSE } from '../mount/launch.js';
import { completePath } from '../mount/programs.js';
import { Arguments, type Command, EXIT } from './command.js';
import { helperStatus, isMountHelper, mountCommand, wantsForeground, withoutHelperFlags } from './mount.js';
import { complain, OutputClosed, print, relay } from './print.js';

/** Commands beside mount: a name is a command, and a file of that name is `./name`. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  umount: async () => (await import('./umount.js')).umount,
  ls: async () => (await import('./ls.js')).ls,
  cat: async () => (await import('./cat.js')).cat,
  rm: async () => (await import('./rm.js')).rm,
  info: async () => (await import('./info.js')).info,
  record: async () => (await import('./record.js')).record,
  format: async () => (await import('./format.js')).format,
  tee: async () => (await import('./tee.js')).tee,
  repair: async () => (await import('./repair.js')).repair,
  'vmcoredd-add': async () => (await import('./vmcoredd-add.js')).vmcoreddAdd,
};

/** @param argv the arguments behind our name. @returns the exit status */
export async function main(argv: readonly string[]): Promise<number> {
  completePath();
  const name = argv[0];
  const before = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  const asks = before.some((arg) => ['-h', '--help', '-V', '--version'].includes(arg));
  if (name === undefined || asks || Object.hasOwn(COMMANDS, name))
    return await runCommand(argv, await commandsFor(name));
  const isHelper = isMountHelper();
  const args = isHelper ? withoutHelperFlags(argv) : argv;
  const status = await launch({
    server: fileURLToPath(new URL('../../bin/pstorefuse-server.js', import.meta.url)),
    args,
    foreground: wantsForeground(args),
    relay,
    complain,
  });
  return isHelper ? helperStatus(status) : status;
}

/** The one command that is called, or all of them for the help. */
async function commandsFor(name: string | undefined): Promise<Command[]> {
  if (name !== undefined && Object.hasOwn(COMMANDS, name)) return [await COMMANDS[name]!()];
  if (name === 'mount') return [mountCommand(false)];
  const others = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  return [mountCommand(false), ...others];
}

/** @param argv the arguments of a mount, behind the word that says whether there is a descriptor of /dev/fuse */
export async function serverMain(argv: readonly string[]): Promise<number> {
  const [fuse, ...rest] = argv;
  const args = rest[0] === 'mount' ? rest : ['mount', ...rest];
  return await runCommand(args, [mountCommand(fuse === WITH_FUSE)]);
}

/** What is wrong with the arguments. */
class UsageError extends Error {}

async function runCommand(argv: readonly string[], commands: readonly Command[]): Promise<number> {
  try {
    return await parse(argv, commands);
  } catch (error) {
    if (error instanceof OutputClosed) return EXIT.OK;
    if (error instanceof PstoreError) {
      complain(error.message);
      return error.exit;
    }
    if (error instanceof UsageError) {
      const form = commands.length === 1 ? `it goes: pstorefuse ${commands[0]!.usage}` : 'see pstorefuse --help';
      complain(`${error.message}; ${form}`);
      return EXIT.USAGE;
    }
    complain(`a bug of pstorefuse, please report it: ${(error as Error).stack ?? error}`);
    return EXIT.SOFTWARE;
  }
}

/** yargs' own words for what is wrong with arguments, in ours. */
const WORDS: Readonly<Record<string, string | { one: string; other: string }>> = {
  'Not enough non-option arguments: got %s, need at least %s': both('there are not enough arguments (%s of %s)'),
  'Unknown argument: %s': both('there is no place for %s'),
  'Missing required argument: %s': both('%s must be given'),
  'Not enough arguments following: %s': 'a value is missing behind -%s',
};

function both(text: string): { one: string; other: string } {
  return { one: text, other: text };
}

async function parse(argv: readonly string[], commands: readonly Command[]): Promise<number> {
  const { default: yargs } = await import('yargs');
  let status: number = EXIT.OK;
  let parser: Argv = yargs()
    .scriptName('pstorefuse')
    .usage('$0 [mount] SOURCE... MOUNTPOINT [-o OPTIONS] [-f]')
    .usage('$0 COMMAND ...')
    .example('$0 mmcblk0p7.raw /mnt', 'every record becomes a file; rm erases it')
    .example('$0 COMMAND --help', 'the options of a command')
    .parserConfiguration({
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'camel-case-expansion': false,
      'boolean-negation': false,
      // Else the word behind an unknown option would be taken for its value.
      'unknown-options-as-args': true,
    })
    .updateStrings(WORDS as Record<string, string>)
    .help('help')
    .alias('h', 'help')
    .version(await version())
    .alias('V', 'version')
    .locale('en')
    // Cutting lines by itself, it cuts words.
    .wrap(null)
    .strict()
    .demandCommand(1, 'a command or a source is missing')
    .exitProcess(false)
    .showHelpOnFail(false)
    .fail((message: string | undefined, error: Error | undefined) => {
      throw error && error.name !== 'YError' ? error : new UsageError(message ?? error?.message);
    });
  for (const command of commands) {
    parser = parser.command(
      command.pattern ?? command.usage,
      command.summary,
      (builder) => {
        let built = command.build(builder as Argv);
        for (const [example, text] of command.examples) built = built.example(example, text);
        return built;
      },
      async (values) => {
        refuseUnknownOptions(values, argv);
        status = await command.run(new Arguments(values));
      },
    );
  }
  await parser.parseAsync(splitShortOptions(argv), {}, (error: unknown, _: unknown, output: string) => {
    if (error) throw error;
    if (output !== '') print(`${output}\n`);
  });
  return status;
}

/** @throws UsageError for an option that yargs does not know, and hands on as if it were no option */
function refuseUnknownOptions(values: Readonly<Record<string, unknown>>, argv: readonly string[]): void {
  const end = argv.indexOf('--');
  const before = new Set(end < 0 ? argv : argv.slice(0, end));
  const isOption = (value: unknown) => typeof value === 'string' && /^-./.test(value) && before.has(value);
  const unknown = Object.values(values).flat().find(isOption);
  if (unknown !== undefined) throw new UsageError(`there is no option ${unknown}`);
}

/** `-oro` is `-o ro`, as other FUSE programs take it. */
function splitShortOptions(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  return argv.flatMap((arg, i) => ((end < 0 || i < end) && /^-o[^=]/.test(arg) ? ['-o', arg.slice(2)] : [arg]));
}

async function version(): Promise<string> {
  const { readFileSync } = await import('node:fs');
  // dist/lib/cli/main.js: the package's own folder is three up.
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
