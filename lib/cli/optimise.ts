// How eagerly V8 makes machine code.

import { createRequire } from 'node:module';

/**
 * Tells V8 to make machine code only of what runs for long. Where many images of all kinds are each looked at once,
 * Node 20 spends a third of the processor's time on machine code that is hardly used; later ones have mended that.
 */
export function optimiseLess(): void {
  setBudget(16 * DEFAULT_BUDGET);
}

/** Takes it back. */
export function optimiseAsEver(): void {
  setBudget(DEFAULT_BUDGET);
}

/** Bytes of bytecode that a function runs through before V8 looks whether to make machine code of it. */
const DEFAULT_BUDGET = 67_584;

function setBudget(bytes: number): void {
  if (!process.versions.v8.startsWith('11.')) return;
  const { setFlagsFromString } = createRequire(import.meta.url)('node:v8') as typeof import('node:v8');
  setFlagsFromString(`--interrupt-budget=${bytes}`);
}
