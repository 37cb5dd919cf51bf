#!/usr/bin/env node
// The command pstorefuse.

import { main } from '../lib/cli/main.js';

process.exit(await main(process.argv.slice(2)));
