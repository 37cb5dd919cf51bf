// The entry of the executable: what the npm package does with several files and Nodes, from one file. It runs once when
// the executable is built, and what is in memory then is where each start begins (a start snapshot).

import { startupSnapshot } from 'node:v8';
import { commandsFor, runCommand } from '../../lib/cli/commands.js';
import { main } from '../../lib/cli/main.js';
import { serverMain } from '../../lib/cli/server-main.js';
import { Variable } from '../../lib/mount/launch.js';
import { NODE_GUNZIP } from '../../lib/storage/unpack.js';
import { textAsset } from './assets.js';
import { gunzip, offerGarbageCollection } from './node-options.js';

/** The version is built in, so package.json is not read. */
const NO_FILE = '';
/** What the script bin/pstorefuse starts Node with. */
const SERVER_FILE = '/pstorefuse-server.js';
const COMMANDS_FILE = '/pstorefuse.js';

async function run(words: readonly string[]): Promise<number> {
  const [first, second] = words;
  if (words.length === 1 && (first === '--licences' || first === '--licenses')) return await showLicences();
  if (first === '-e' && second === NODE_GUNZIP) return await gunzip();
  const asNode = calledAsNode(words);
  if (asNode?.file.endsWith(SERVER_FILE)) {
    offerGarbageCollection();
    return await serverMain(asNode.args, NO_FILE, () => {});
  }
  const name = process.argv0;
  const script = { text: textAsset('pstorefuse'), path: process.execPath };
  const installation = { packageFile: NO_FILE, script, name, commands: () => ({ commandsFor, runCommand }) };
  return await main(asNode?.args ?? words, installation);
}

/** Where the script bin/pstorefuse, which we have started, takes us for Node: options of Node, a file, arguments. */
function calledAsNode(words: readonly string[]): { file: string; args: readonly string[] } | undefined {
  if (process.env[Variable.NODE] !== process.execPath) return undefined;
  const at = words.findIndex((word) => !word.startsWith('--'));
  const file = words[at];
  if (file === undefined || !(file.endsWith(SERVER_FILE) || file.endsWith(COMMANDS_FILE))) return undefined;
  return { file, args: words.slice(at + 1) };
}

function showLicences(): Promise<number> {
  return new Promise((resolve) => process.stdout.write(textAsset('LICENCES'), () => resolve(0)));
}

function start(): void {
  run(process.argv.slice(2)).then((status) => process.exit(status));
}

if (startupSnapshot.isBuildingSnapshot()) {
  startupSnapshot.setDeserializeMainFunction(start);
  // Node sets it anew at each start; the one of the build would make each build another one.
  Object.defineProperty(process, 'pid', { value: 1, enumerable: true, configurable: true });
  // yargs keeps the name of the folder that it is loaded in, which has another one at each build.
  const { cwd } = process;
  process.cwd = () => '/';
  // All that a command may need is in memory then.
  void Promise.all([import('yargs'), commandsFor(undefined)]).then(() => {
    process.cwd = cwd;
  });
} else start();
