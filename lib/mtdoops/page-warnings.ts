// What a person is told of pages that a kernel does not know, or not as they were written.

import type { WarningCode, Warnings } from '../warnings.js';
import type { MtdoopsHeader, PageState } from './format.js';
import { damage } from './info.js';

/** Up to this many pages with the same fault get a warning each; more get one summary. */
const FEW = 8;

/** A page as it was found. */
interface SeenPage {
  readonly page: number;
  readonly offset: number;
  /** Whether a kernel would see it: the image does not cut it off. */
  readonly isWhole: boolean;
  readonly state: PageState;
  readonly header: MtdoopsHeader | undefined;
}

interface Fault {
  readonly code: WarningCode;
  readonly offset: number;
  /** The sentence where it is told alone. */
  readonly alone: string;
  /** The sentence where it is the first of many. */
  summary(count: number): string;
}

export class PageWarnings {
  readonly #warnings: Warnings;
  readonly #path: string;
  /** The first faults of each code, and how many there are. A hostile image may have one in each page. */
  readonly #faults = new Map<WarningCode, { readonly first: Fault[]; count: number }>();

  constructor(warnings: Warnings, path: string) {
    this.#warnings = warnings;
    this.#path = path;
  }

  /** Keeps what is wrong with a page, if anything is. */
  note(seen: SeenPage): void {
    const fault = faultOf(seen);
    if (!fault) return;
    const known = this.#faults.get(fault.code) ?? { first: [], count: 0 };
    this.#faults.set(fault.code, known);
    known.count++;
    if (known.first.length < FEW) known.first.push(fault);
  }

  /** Tells what was noted since. */
  tell(): void {
    const all = [...this.#faults];
    this.#faults.clear();
    for (const [code, { first, count }] of all) {
      const add = (sentence: string, { offset }: Fault) =>
        this.#warnings.add(code, `${this.#path}: ${sentence}`, offset);
      if (count > FEW) add(first[0]!.summary(count), first[0]!);
      else for (const fault of first) add(fault.alone, fault);
    }
  }
}

function faultOf({ page, offset, isWhole, state, header }: SeenPage): Fault | undefined {
  const what = `page ${page} at offset ${offset}`;
  if (header && (state === 'bad-magic' || state === 'bad-seq' || state === 'other-endian')) {
    const why = damage(state, header);
    return {
      code: 'page-damaged',
      offset,
      alone: `${what} ${why}; --salvage shows its text`,
      summary: (count) =>
        `--salvage shows the texts of ${count} damaged pages, if record_size= is right; the first, ${what}, ${why}`,
    };
  }
  if (state === 'truncated') {
    const why = 'cannot be read any more: the image shrank while it was in use';
    return {
      code: isWhole ? 'image-shrunk' : 'zone-truncated',
      offset,
      alone: `${what} ${isWhole ? why : "is cut off at the image's end"}`,
      summary: (count) => `${count} pages from ${what} on ${why}`,
    };
  }
  if (state !== 'record' || (header?.timestampNs ?? 0n) >= 0n) return undefined;
  return {
    code: 'record-time',
    offset,
    alone: `${what} has a damaged time of ${header?.timestampNs} ns: it is shown without one`,
    summary: (count) => `${count} pages have damaged times, and are shown without them; the first is ${what}`,
  };
}
