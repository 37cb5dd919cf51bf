// What the server of a mount runs: loaded by pstorefuse-server.ts.

export * from '../lib/cli/server-main.js';
