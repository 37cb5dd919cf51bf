// Stands in the place of lib/cli/beside.ts in the executable: what stands beside the program elsewhere is inside of it.

export { textAsset as textBeside } from './assets.js';
