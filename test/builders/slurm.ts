// A Slurm of one node: munge, the controller and the node, in a folder of its own, on ports that nobody else has.

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';

const PROGRAMS = ['munged', 'slurmctld', 'slurmd', 'sbatch', 'sinfo'];
const LIMIT_MS = 30_000;

function has(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

/** Why there can be no Slurm here; false where there can. */
export const noSlurm: string | false =
  PROGRAMS.find((program) => !has(program)) !== undefined
    ? 'slurm-wlm or munge is not installed'
    : process.geteuid!() !== 0 && 'only root can start a Slurm';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function start(program: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: LIMIT_MS });
  if (status !== 0) throw new Error(`${program} does not start: ${stderr}`);
}

/** @returns the path of the configuration, for SLURM_CONF, and what ends all of it */
export async function startSlurm(folder: string): Promise<{ conf: string; stop(): void }> {
  const host = hostname().split('.')[0]!;
  const [controller, node] = [await freePort(), await freePort()];
  for (const name of ['state', 'spool']) mkdirSync(join(folder, name));
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, 'key'), randomBytes(1024), { mode: 0o600 });
  const conf = join(folder, 'slurm.conf');
  const lines = [
    'ClusterName=test',
    `SlurmctldHost=${host}(127.0.0.1)`,
    `SlurmctldPort=${controller}`,
    `SlurmdPort=${node}`,
    'AuthType=auth/munge',
    `AuthInfo=socket=${folder}/munge.socket`,
    'SlurmUser=root',
    'SlurmdUser=root',
    `StateSaveLocation=${folder}/state`,
    `SlurmdSpoolDir=${folder}/spool`,
    ...['slurmctld', 'slurmd'].map((name) => `${name[0]!.toUpperCase()}${name.slice(1)}PidFile=${folder}/${name}.pid`),
    ...['slurmctld', 'slurmd'].map((name) => `${name[0]!.toUpperCase()}${name.slice(1)}LogFile=${folder}/${name}.log`),
    'ProctrackType=proctrack/linuxproc',
    'TaskPlugin=task/none',
    'SelectType=select/cons_tres',
    'SelectTypeParameters=CR_Core',
    'MpiDefault=none',
    'JobAcctGatherType=jobacct_gather/none',
    `NodeName=${host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN`,
    `PartitionName=all Nodes=${host} Default=YES MaxTime=INFINITE State=UP`,
  ];
  writeFileSync(conf, `${lines.join('\n')}\n`);
  const pids = ['munged', 'slurmctld', 'slurmd'].map((name) => join(folder, `${name}.pid`));
  const munge = ['key-file=key', 'socket=munge.socket', 'pid-file=munged.pid', 'log-file=munged.log', 'seed-file=seed'];
  start('munged', ['--force', ...munge.map((option) => `--${option.replace('=', `=${folder}/`)}`)]);
  start('slurmctld', ['-c', '-f', conf]);
  start('slurmd', ['-c', '-f', conf]);
  return { conf, stop: () => pids.toReversed().forEach(end) };
}

/** Ends the process whose number stands in a file, if it still runs. */
function end(file: string): void {
  try {
    process.kill(Number(readFileSync(file, 'utf8')), 'SIGTERM');
  } catch {
    // It has ended by itself.
  }
}
