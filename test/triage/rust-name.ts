// Names that Rust's compiler makes, and what is none.

import t from 'tap';
import { stableName } from '../../lib/triage/frame.js';
import { rustName } from '../../lib/triage/rust-name.js';

/** The compiler's, and the person's. The parts between `Cs` and `_` are hashes of crates. */
const NAMES: readonly (readonly [string, string])[] = [
  ['_RNvCs1Ab_5board4poll', 'board::poll'],
  ['_RNvC5board4poll', 'board::poll'],
  ['_RNvCs7_7___board4poll', '__board::poll'],
  ['_RNvNtNtCs1_5board3bus6device4read', 'board::bus::device::read'],
  ['_RNvMs3_NtCs1_5board3busNtB5_6Device4read', '<board::bus::Device>::read'],
  ['_RNvXs_NtCs1_5board3busNtB4_6DeviceNtNtCs2_4core3ops4Drop4drop', '<board::bus::Device as core::ops::Drop>::drop'],
  ['_RNvYNtCs1_5board6DeviceNtB4_4Read4read', '<board::Device as board::Read>::read'],
  ['_RINvCs1_5board4readNtB2_6DevicehE', 'board::read::<board::Device, u8>'],
  ['_RINvCs1_5board4readRShQLb_eOmPpE', 'board::read::<&[u8], &mut str, *mut u32, *const _>'],
  ['_RINvCs1_5board4readATlbEj10_Kj3_KpE', 'board::read::<[(i32, bool); 0x10], 0x3, _>'],
  ['_RINvCs1_5board4readL_E', "board::read::<'_>"],
  ['_RNCNvCs1_5board4poll0B3_', 'board::poll::{closure#0}'],
  ['_RNCNvCs1_5board4polls_0B3_', 'board::poll::{closure#1}'],
];

t.test('names', async (t) => {
  for (const [symbol, name] of NAMES) {
    t.equal(rustName(symbol), name);
    t.equal(stableName(symbol), name);
  }
});

t.test('one function of two builds has one name', async (t) => {
  t.equal(stableName('_RNvCs1Ab_5board4poll'), stableName('_RNvCsZ9y_5board4poll.llvm.123'));
});

t.test('what is no such name stays as it is', async (t) => {
  for (const symbol of [
    '_R',
    '_RNv',
    '_RNvC5boa',
    '_RNvB_',
    '_RNvC9',
    '_RNvC5board',
    '_RQ',
    '_RINvCs1_5board4read',
    '_Read',
  ]) {
    t.equal(rustName(symbol), undefined, symbol);
    t.equal(stableName(symbol), symbol);
  }
});

t.test('names that hold themselves many times end soon', async (t) => {
  const doubled = `_RINvC1a1b${'TB9_B9_E'.repeat(28)}E`;
  const nested = `_RINvC1a1bT${Array.from({ length: 60 }, (_, i) => `TB${(9 + i).toString(36)}_B9_E`).join('')}EE`;
  const started = performance.now();
  for (const symbol of [
    doubled,
    nested,
    `_R${'Nv'.repeat(120)}`,
    `_RINvC1a1b${'S'.repeat(200)}hE`,
    `_RMB_${'B_'.repeat(100)}`,
  ]) {
    t.doesNotThrow(() => rustName(symbol));
  }
  t.ok(performance.now() - started < 500);
});
