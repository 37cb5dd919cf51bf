// A thread that decodes records: started by decode-ahead.ts.

import { threadSide } from '../platform/node.js';
import { ANSWERS, type Answer, type Batch, STOP, type ThreadData, WORKING } from './decode-ahead.js';
import { type DecodedRecord, decodeRecord } from './decompress.js';

const { data, onMessage, post } = threadSide<ThreadData>();
const { cells, choice, limit } = data;

onMessage((message) => {
  Atomics.add(cells, WORKING, 1);
  try {
    answer(message as Batch);
  } finally {
    Atomics.sub(cells, WORKING, 1);
    Atomics.notify(cells, WORKING);
  }
});

function answer(batch: Batch): void {
  const decoded: (DecodedRecord | undefined)[] = [];
  for (const stored of batch) {
    if (Atomics.load(cells, STOP) !== 0) return;
    decoded.push(owned(decodeRecord(stored, choice, limit)));
  }
  post(
    decoded satisfies Answer,
    decoded.flatMap((one) => (one ? [one.text.buffer] : [])),
  );
  Atomics.add(cells, ANSWERS, 1);
  Atomics.notify(cells, ANSWERS);
}

/** With memory of its own, so that the text is handed over and not copied. */
function owned(decoded: DecodedRecord | undefined): DecodedRecord | undefined {
  if (!decoded || decoded.text.length === decoded.text.buffer.byteLength) return decoded;
  return { ...decoded, text: new Uint8Array(decoded.text) };
}
