// The reader of a viewer: opens images, explains their records, and makes the markup. Runs beside the page.

import type { Reply, Request } from './messages.js';
import { Reader } from './reader.js';

const post = (reply: Reply, owned: Transferable[] = []) => self.postMessage(reply, { transfer: owned });
const reader = new Reader(post);

self.onmessage = ({ data }: MessageEvent<Request>) => {
  if (data.do === 'open') void reader.open(data.files);
  else if (data.do === 'search') void reader.search(data.words, data.ticket);
  else if (data.do === 'body')
    answer(data.ticket, () => post({ told: 'body', ticket: data.ticket, markup: reader.body(data.id) }));
  else if (data.do === 'bytes') {
    answer(data.ticket, () => {
      const bytes = reader.bytes(data.id);
      post({ told: 'bytes', ticket: data.ticket, bytes }, [bytes.buffer]);
    });
  }
};

function answer(ticket: number, act: () => void): void {
  try {
    act();
  } catch (error) {
    post({ told: 'failed', ticket, message: (error as Error).message });
  }
}
