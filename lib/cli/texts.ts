// Texts that are no records: standard input and files.

import { createReadStream, statSync } from 'node:fs';
import { openImage } from '../storage/file.js';
import { isBrokenPlace, readRange, type Storage } from '../storage/storage.js';
import { type Packed, packedAs, unpack } from '../storage/unpack.js';
import type { Explained } from '../triage/dump.js';
import { Explainer, type ExplainOptions, type Explanation, explainBytes } from '../triage/explain.js';
import { isLogText, TEXT_SAMPLE } from '../triage/text.js';
import { Warnings } from '../warnings.js';
import { stdinChunks } from './stdin.js';

/** Bytes that are read at a time. */
const CHUNK = 256 << 10;

export function explainStdin(options: ExplainOptions): Explained {
  return { path: '-', names: [], reason: null, time: null, explanation: explainBytes(stdinChunks(), options) };
}

/** Whether a path is a file of text, and no image: what waits, as a FIFO does, is a text. */
export function isText(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined || stats.isDirectory()) return false;
  if (isStream(path)) return true;
  try {
    const file = openUnpacked(path);
    try {
      return isLogText(readRange(file, 0, TEXT_SAMPLE));
    } finally {
      file.close();
    }
  } catch (error) {
    // A source survives a first block that cannot be read.
    if (isBrokenPlace(error)) return false;
    throw error;
  }
}

/** A file of text may be compressed, as logs are when they are rotated; disks of virtual machines are sources. */
function openUnpacked(path: string): Storage {
  const file = openImage(path, { mode: 'read' });
  let packed: Packed | undefined;
  try {
    packed = packedAs(file);
  } catch (error) {
    file.close();
    throw error;
  }
  if (packed?.kind !== 'stream') return file;
  file.close();
  return unpack(path, packed, new Warnings());
}

function isStream(path: string): boolean {
  const stats = statSync(path);
  return stats.isFIFO() || stats.isCharacterDevice() || stats.isSocket();
}

export async function explainFile(path: string, options: ExplainOptions): Promise<Explained> {
  const explanation = isStream(path) ? await explainStream(path, options) : explainStored(path, options);
  return { path, names: [], reason: null, time: null, explanation };
}

async function explainStream(path: string, options: ExplainOptions): Promise<Explanation> {
  const explainer = new Explainer(options);
  const decoder = new TextDecoder();
  for await (const bytes of createReadStream(path)) explainer.push(decoder.decode(bytes as Buffer, { stream: true }));
  explainer.push(decoder.decode());
  return explainer.end();
}

function explainStored(path: string, options: ExplainOptions): Explanation {
  const file = openUnpacked(path);
  function* chunks(): Generator<Uint8Array> {
    for (let offset = 0; offset < file.size; offset += CHUNK) yield readRange(file, offset, CHUNK);
  }
  try {
    return explainBytes(chunks(), options);
  } finally {
    file.close();
  }
}
