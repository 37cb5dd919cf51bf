// A disk of a virtual machine as QEMU's docs/interop/qcow2.rst describes it: version 2, nothing compressed or encrypted.

const CLUSTER_BITS = 16;
const CLUSTER = 1 << CLUSTER_BITS;
/** In the tables: the cluster is used by this image alone. */
const COPIED = 1n << 63n;

/** @param raw what the guest sees: at most 32 MiB; clusters full of zeros are left out */
export function qcow2(raw: Uint8Array): Buffer {
  const clusters = Math.ceil(raw.length / CLUSTER);
  // The header, the table of reference counts and one block of them, the table of the first and that of the second level.
  const front = Buffer.alloc(5 * CLUSTER);
  front.write('QFI\xfb', 'latin1');
  front.writeUInt32BE(2, 4);
  front.writeUInt32BE(CLUSTER_BITS, 20);
  front.writeBigUInt64BE(BigInt(raw.length), 24);
  front.writeUInt32BE(1, 36);
  front.writeBigUInt64BE(BigInt(3 * CLUSTER), 40);
  front.writeBigUInt64BE(BigInt(CLUSTER), 48);
  front.writeUInt32BE(1, 56);
  front.writeBigUInt64BE(BigInt(2 * CLUSTER), CLUSTER);
  front.writeBigUInt64BE(BigInt(4 * CLUSTER) | COPIED, 3 * CLUSTER);
  const data: Buffer[] = [];
  for (let index = 0; index < clusters; index++) {
    const cluster = Buffer.alloc(CLUSTER);
    cluster.set(raw.subarray(index * CLUSTER, (index + 1) * CLUSTER));
    if (cluster.every((byte) => byte === 0)) continue;
    front.writeBigUInt64BE(BigInt((5 + data.length) * CLUSTER) | COPIED, 4 * CLUSTER + index * 8);
    data.push(cluster);
  }
  for (let used = 0; used < 5 + data.length; used++) front.writeUInt16BE(1, 2 * CLUSTER + used * 2);
  return Buffer.concat([front, ...data]);
}
