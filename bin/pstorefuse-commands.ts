// All commands but mount: loaded by pstorefuse.ts when one is called, so that a mount does not wait for them.

export * from '../lib/cli/commands.js';
