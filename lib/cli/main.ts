// The command line: which command it is, and what becomes of what it throws.

import { fileURLToPath } from 'node:url';
import type { Argv } from 'yargs';
import { PstoreError } from '../errors.js';
import { launch } from '../mount/launch.js';
import { isRoot } from '../mount/programs.js';
import { Arguments, type Command, EXIT } from './command.js';
import { isMountHelper, mountCommand, WITH_FUSE, WITHOUT_FUSE, wantsForeground } from './mount.js';
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
  const name = argv[0];
  const before = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  const asks = before.some((arg) => ['-h', '--help', '-V', '--version'].includes(arg));
  if (name === undefined || asks || Object.hasOwn(COMMANDS, name))
    return await runCommand(argv, await commandsFor(name));
  const server = fileURLToPath(new URL('../../bin/pstorefuse-server.js', import.meta.url));
  const status = await launch({
    server: [server, isRoot() ? WITH_FUSE : WITHOUT_FUSE, ...argv],
    foreground: wantsForeground(argv),
    relay,
    complain,
  });
  return status !== EXIT.OK && isMountHelper() ? (status === EXIT.USAGE ? 1 : EXIT.MOUNT_FAILURE) : status;
}

/** The one command that is called, or all of them for the help. */
async function commandsFor(name: string | undefined): Promise<Command[]> {
  if (name !== undefined && Object.hasOwn(COMMANDS, name)) return [await COMMANDS[name]!()];
  const others = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  return [mountCommand(false), ...others];
}

/** @param argv the arguments of a mount, behind the word that says whether there is a descriptor of /dev/fuse */
export async function serverMain(argv: readonly string[]): Promise<number> {
  const [fuse, ...rest] = argv;
  const args = rest[0] === 'mount' ? rest : ['mount', ...rest];
  return await runCommand(args, [mountCommand(fuse === WITH_FUSE)]);
}

/** yargs says what is wrong with the arguments. */
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
      complain(`${error.message}; pstorefuse --help shows how it goes`);
      return EXIT.USAGE;
    }
    complain(`a bug of pstorefuse, please report it: ${(error as Error).stack ?? error}`);
    return EXIT.SOFTWARE;
  }
}

async function parse(argv: readonly string[], commands: readonly Command[]): Promise<number> {
  const { default: yargs } = await import('yargs');
  let status: number = EXIT.OK;
  let parser: Argv = yargs()
    .scriptName('pstorefuse')
    .usage('$0 [mount] SOURCE... MOUNTPOINT [-o OPTIONS] [-f]\n$0 COMMAND SOURCE ...')
    .parserConfiguration({
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'camel-case-expansion': false,
      'boolean-negation': false,
    })
    .help('help')
    .alias('h', 'help')
    .version(await version())
    .alias('V', 'version')
    .locale('en')
    .wrap(process.stdout.columns ? Math.min(100, process.stdout.columns) : 80)
    .strict()
    .demandCommand(1, 'a command or a source is missing')
    .exitProcess(false)
    .showHelpOnFail(false)
    .fail((message: string, error: Error | undefined) => {
      throw error ?? new UsageError(message);
    });
  for (const command of commands) {
    parser = parser.command(
      command.usage,
      command.summary,
      (builder) => {
        let built = command.build(builder as Argv);
        for (const [example, text] of command.examples) built = built.example(example, text);
        return built;
      },
      async (values) => {
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
