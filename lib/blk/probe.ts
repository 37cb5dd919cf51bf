// Recognises a partition of either generation.

import type { Finding, OpenContext } from '../pstore/kind.js';
import { readRange, type Storage } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import { type Detected, detectZones, SEARCHED, voteOnFormat } from './detect.js';
import { SHORT_SEARCH } from './find-geometry.js';
import { BUFFER_HEADER_SIZE, type Generation } from './format.js';
import { PARTITION_MULTIPLE } from './geometry.js';
import { findMarks, type Mark } from './marks.js';
import { openZones } from './open.js';

/**
 * Recognises this generation by the share of headers that speak for it. The image is searched once for both generations,
 * and not again when it is opened.
 */
export function probeZones(storage: SurvivingStorage, generation: Generation): Finding<OpenContext> | undefined {
  if (storage.size < PARTITION_MULTIPLE) return undefined;
  const finding = (sure: number, seen?: Detected) => ({
    sure,
    open: (context: OpenContext) => openZones(context, generation, context.storage === storage ? seen : undefined),
  });
  // Most images say at their beginning what they are.
  const beginning =
    storage.size > SHORT_SEARCH
      ? storage.once('zones of the beginning', () => detectZones(storage, { until: SHORT_SEARCH }))
      : undefined;
  if (isSure(beginning)) return beginning?.generation === generation ? finding(sureness(beginning)) : undefined;
  const marks = storage.once('headers of zones', () => findMarks(storage, SEARCHED));
  const detected = detectZones(storage, { generation }, marks);
  if (!detected) return undefined;
  if (isSure(detected)) return finding(sureness(detected) - (losesTie(marks, generation) ? TIE : 0), detected);
  return finding(isFormatted(storage, detected) ? 0.8 : 0.1, detected);
}

/** A header or two may be left of what the image held before; several of records stand in no image of another kind. */
export function sureness({ marks }: Detected): number {
  return marks.filter((mark) => mark.signed && mark.magic).length >= CERTAIN_RECORDS ? 1 : SURE;
}

/** Whether as much speaks for the other generation, and that has its first record where the image begins. */
function losesTie(marks: readonly Mark[], generation: Generation): boolean {
  const best = voteOnFormat(marks);
  return best !== undefined && best.generation !== generation && best.votes === voteOnFormat(marks, generation)?.votes;
}

/** By so much the one of two is less sure. */
const TIE = 0.01;

const SURE = 0.9;

const CERTAIN_RECORDS = 3;

function isSure(detected: Detected | undefined): boolean {
  return detected?.marks.some((mark) => mark.signed && (mark.magic || mark.type !== 'dmesg')) ?? false;
}

/**
 * Zones that were formatted and never written: all of them, with 0xFF after their headers. Empty zones of ramoops have
 * the same signature, but are of several sizes, or have held something.
 */
function isFormatted(storage: Storage, { marks, sizes, kmsgOffset, generation }: Detected): boolean {
  if (kmsgOffset === undefined) return false;
  // Headers are searched no further than a kernel looks; format has made them there, or with no_cap up to the end.
  const searched = Math.min(storage.size, SEARCHED);
  const whole = Math.floor((searched - kmsgOffset) / sizes.kmsgSize);
  const begun = Math.min(
    Math.ceil((searched - kmsgOffset) / sizes.kmsgSize),
    Math.floor((storage.size - kmsgOffset) / sizes.kmsgSize),
  );
  return (
    (marks.length === whole || marks.length === begun) &&
    marks.every(({ offset }) =>
      readRange(storage, offset + BUFFER_HEADER_SIZE[generation], 64).every((byte) => byte === 0xff),
    )
  );
}
