// All that takes long to load, in one file: the commands, the server of a mount, and the thread of export. Each of them is
// set up only when it is asked for.

export * from '../lib/cli/commands.js';
export const server = () => import('../lib/cli/server-main.js');
export const exportThread = () => import('../lib/cli/export-thread.js');
