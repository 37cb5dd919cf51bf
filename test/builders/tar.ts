// Tar archives, made field by field from the interchange format of POSIX.

export interface BuiltFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Type of the entry; default `0`, a regular file. */
  readonly type?: string;
}

export function tarArchive(files: readonly BuiltFile[]): Buffer {
  const pieces = files.flatMap(({ name, bytes, type = '0' }) => {
    const header = Buffer.alloc(512);
    header.write(name, 0, 'latin1');
    header.write('0000644\0', 100, 'latin1');
    header.write(`${bytes.length.toString(8).padStart(11, '0')} `, 124, 'latin1');
    header.write(' '.repeat(8), 148, 'latin1');
    header.write(type, 156, 'latin1');
    header.write('ustar\x0000', 257, 'latin1');
    const sum = header.reduce((before, byte) => before + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return [header, bytes, Buffer.alloc(-bytes.length & 511)];
  });
  return Buffer.concat([...pieces, Buffer.alloc(1024)]);
}
