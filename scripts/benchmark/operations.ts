// The client in C that counts microseconds for each operation: made here, where there is a compiler.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './contenders.js';

const SOURCE = fileURLToPath(new URL('../../../scripts/benchmark/ops.c', import.meta.url));

export class Operations {
  readonly #program: string;

  private constructor(program: string) {
    this.#program = program;
  }

  /** @returns undefined without a compiler that works */
  static make(work: string): Operations | undefined {
    const program = join(work, 'ops');
    const { status } = spawnSync('cc', ['-O2', '-o', program, SOURCE], { stdio: ['ignore', 'ignore', 'inherit'] });
    return status === 0 ? new Operations(program) : undefined;
  }

  /** Microseconds for each file of a list, of names that the kernel does not know yet, and again. */
  each(operation: 'stat' | 'cat', list: string): readonly [cold: number, warm: number] {
    const [cold, warm] = run(this.#program, [operation, list]).trim().split('\n').map(Number);
    return [cold!, warm!];
  }

  /** Microseconds to wake another process and to be woken by it. */
  wake(): number {
    return Number(run(this.#program, ['wake']));
  }
}
