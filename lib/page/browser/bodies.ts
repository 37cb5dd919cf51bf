// What is in a record: with scripts it stands there as the text of its markup, and becomes elements when it is opened.

/** The markup in a row; empty where a viewer has not asked for it yet. */
export function bodyOf(row: Element): string {
  const kept = row.querySelector('noscript');
  return kept ? (kept.textContent ?? '') : (row.querySelector('.body')?.innerHTML ?? '');
}

export function watchBodies(root: HTMLElement): void {
  root.addEventListener('toggle', ({ target }) => fill(target as HTMLElement), true);
}

/** The report's own markup, in which everything from an image was escaped when it was made. */
function fill(row: HTMLElement): void {
  const kept = row.querySelector('noscript');
  if (kept?.parentElement?.classList.contains('body')) kept.parentElement.innerHTML = kept.textContent ?? '';
}
