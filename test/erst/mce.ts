import fc from 'fast-check';
import t from 'tap';
import { machineCheckText, readMachineCheck } from '../../lib/erst/mce.js';

function record(status: bigint): Uint8Array {
  const bytes = Buffer.alloc(128);
  bytes.writeBigUInt64LE(status, 0);
  bytes.writeBigUInt64LE(0x8cn, 8);
  bytes.writeBigUInt64LE(0x1234_5000n, 16);
  bytes.writeBigUInt64LE(5n, 24);
  bytes.writeBigUInt64LE(1_640_995_202n, 48);
  bytes.writeUInt8(9, 65);
  bytes.writeUInt32LE(3, 68);
  bytes.writeUInt32LE(1, 72);
  return bytes;
}

t.test('struct mce in words', (t) => {
  const check = readMachineCheck(record(0xbe00_0000_0080_0110n))!;
  t.match(check, { bank: 9, cpu: 3, socket: 1, address: 0x1234_5000n, seconds: 1_640_995_202n });
  t.equal(
    machineCheckText(check),
    'machine check on CPU 3 (socket 1), bank 9: status 0xbe00000000800110, uncorrected error, code 0x110 (cache hierarchy), the processor context is corrupt, address 0x12345000, misc 0x8c, mcgstatus 0x5, at 2022-01-01T00:00:02Z',
  );
  const words = (status: bigint) => machineCheckText(readMachineCheck(record(status))!);
  t.match(words(0x8000_0000_0000_0005n), /, corrected error, code 0x5 \(internal parity\), mcgstatus/);
  t.match(words(0xc000_0000_0000_1090n), /code 0x1090 \(memory controller\), another error was overwritten/);
  t.match(words(0x8000_0000_0000_0e0fn), /\(bus or interconnect\)/);
  t.notMatch(words(0n), /error, code/, 'a status that is not valid tells nothing');
  t.equal(readMachineCheck(new Uint8Array(75)), undefined);
  t.end();
});

t.test('any bytes give one line', (t) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 76, maxLength: 160 }),
      (bytes) => !/[\0-\x1f]/.test(machineCheckText(readMachineCheck(bytes)!)),
    ),
  );
  t.end();
});
