// VMCOREINFO: what the crashed kernel says of itself, as lines KEY=VALUE (kernel/crash_core.c; the keys are described in
// Documentation/admin-guide/kdump/vmcoreinfo.rst).

/** What the crashed kernel said of itself: the lines KEY=VALUE of its VMCOREINFO, or none. */
export type Vmcoreinfo = ReadonlyMap<string, string>;

/** The lines KEY=VALUE. */
export function parseVmcoreinfo(bytes: Uint8Array): Vmcoreinfo {
  const lines = new Map<string, string>();
  for (const line of new TextDecoder('latin1').decode(bytes).split('\n')) {
    const at = line.indexOf('=');
    if (at > 0 && /^[\x20-\x7e]*$/.test(line) && !lines.has(line.slice(0, at))) {
      lines.set(line.slice(0, at), line.slice(at + 1));
    }
  }
  return lines;
}

/** Page size in bytes by `PAGESIZE=`, or undefined where it is not told or is none. */
export function vmcoreinfoPageSize(vmcoreinfo: Vmcoreinfo): number | undefined {
  const size = Number(vmcoreinfo.get('PAGESIZE') ?? Number.NaN);
  return size >= 512 && size <= 1 << 24 && (size & (size - 1)) === 0 ? size : undefined;
}

/** `NUMBER(name)`, which kernels write in decimal or, with 0x in front, in hexadecimal. */
export function infoNumber(info: Vmcoreinfo, name: string): bigint | undefined {
  const text = info.get(`NUMBER(${name})`);
  if (text === undefined) return undefined;
  if (/^0x[0-9a-f]{1,16}$/i.test(text)) return BigInt(text);
  return /^-?[0-9]{1,20}$/.test(text) ? BigInt(text) : undefined;
}

/** `SYMBOL(name)`: a virtual address, in hexadecimal. */
export function infoSymbol(info: Vmcoreinfo, name: string): bigint | undefined {
  const text = info.get(`SYMBOL(${name})`);
  return text !== undefined && /^[0-9a-f]{1,16}$/i.test(text) ? BigInt(`0x${text}`) : undefined;
}

/** `SIZE(struct)` or `OFFSET(struct.member)`, in bytes. */
export function infoBytes(info: Vmcoreinfo, key: string): number | undefined {
  const text = info.get(key);
  return text !== undefined && /^[0-9]{1,6}$/.test(text) ? Number(text) : undefined;
}
