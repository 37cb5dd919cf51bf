// A thread that decodes records: started by decode-ahead.ts.

import { threadSide } from '../platform.js';
import type { Answer, Batch, ThreadData } from './decode-ahead.js';
import { type DecodedRecord, decodeRecord } from './decompress.js';

const { data, onMessage, post } = threadSide<ThreadData>();

onMessage((message) => {
  const answer: Answer = (message as Batch).map((stored) => owned(decodeRecord(stored, data.choice, data.limit)));
  post(
    answer,
    answer.flatMap((decoded) => (decoded ? [decoded.text.buffer] : [])),
  );
  Atomics.add(data.answers, 0, 1);
  Atomics.notify(data.answers, 0);
});

/** With memory of its own, so that the text is handed over and not copied. */
function owned(decoded: DecodedRecord | undefined): DecodedRecord | undefined {
  if (!decoded || decoded.text.length === decoded.text.buffer.byteLength) return decoded;
  return { ...decoded, text: new Uint8Array(decoded.text) };
}
