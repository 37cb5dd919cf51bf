// The options of the scripts in this folder. What --help prints is the comment at the top of the script itself.

import { readFileSync } from 'node:fs';
import { type ParseArgsConfig, parseArgs } from 'node:util';

const USAGE = 64;

/** Ends the process for --help, and where the arguments are wrong. @param name of the script that a person starts */
export function scriptOptions<T extends ParseArgsConfig>(name: string, config: T): ReturnType<typeof parseArgs<T>> {
  if (process.argv.includes('--help')) {
    process.stdout.write(helpOf(name));
    process.exit(0);
  }
  try {
    return parseArgs(config);
  } catch (error) {
    process.stderr.write(`${name}: ${(error as Error).message}; see scripts/${name} --help\n`);
    process.exit(USAGE);
  }
}

function helpOf(name: string): string {
  const script = new URL(`../../scripts/${name}`, import.meta.url);
  const [, ...lines] = readFileSync(script, 'utf8').split('\n');
  const end = lines.findIndex((line) => !line.startsWith('#'));
  return lines
    .slice(0, end)
    .map((line) => `${line.replace(/^# ?/, '')}\n`)
    .join('');
}
