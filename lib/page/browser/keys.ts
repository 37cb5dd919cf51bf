// The keyboard.

import type { RecordList } from './list.js';

/** @param listOf the list that is there now */
export function watchKeys(listOf: () => RecordList | undefined): void {
  addEventListener('keydown', (event) => {
    const list = listOf();
    if (!list) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as HTMLElement;
    const isTyping = target instanceof HTMLInputElement;
    if (event.key === 'Escape') list.clear();
    else if (isTyping && event.key === 'Enter') move(list, 1);
    else if (isTyping) return;
    else if (event.key === '/') list.focusSearch();
    else if (event.key === 'j') move(list, 1);
    else if (event.key === 'k') move(list, -1);
    else return;
    event.preventDefault();
  });
}

/** To the next record that is shown, or the one before. */
function move(list: RecordList, step: 1 | -1): void {
  const shown = list.rows.filter(({ isShown }) => isShown);
  const active = document.activeElement?.closest('.r');
  const at = shown.findIndex(({ element }) => element === active);
  const next = shown[at < 0 ? 0 : at + step]?.element;
  next?.querySelector('summary')?.focus();
}
