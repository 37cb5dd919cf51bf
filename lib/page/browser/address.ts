// What the address after `#` asks for: a record, a group, a span of time.

export type Asked =
  | { readonly kind: 'record'; readonly id: string }
  | { readonly kind: 'group'; readonly signature: string }
  | { readonly kind: 'span'; readonly from: number; readonly to: number }
  | { readonly kind: 'nothing' };

/** Before the ids of records, which no other part of the page has. */
const RECORD = 'r/';

export function asked(hash: string): Asked {
  const text = decoded(hash.replace(/^#/, ''));
  if (text.startsWith(RECORD)) return { kind: 'record', id: text };
  const [, signature] = /^group=(.+)$/.exec(text) ?? [];
  if (signature !== undefined) return { kind: 'group', signature };
  const [, from, to] = /^from=(\d+(?:\.\d+)?)&to=(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  if (from !== undefined) return { kind: 'span', from: Number(from), to: Number(to) };
  return { kind: 'nothing' };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
