// What can be done with a record: saved as a file, copied as text.

/** All bytes of a record, where the page itself does not have them. */
export type BytesOf = (id: string) => Promise<Uint8Array<ArrayBuffer>>;

export function watchActs(root: HTMLElement, bytesOf?: BytesOf): void {
  root.addEventListener('toggle', ({ target }) => addButtons(target as HTMLElement), true);
  root.addEventListener('click', (event) => {
    const button = (event.target as Element).closest<HTMLElement>('[data-do]');
    const row = button?.closest<HTMLDetailsElement>('.r');
    if (!button || !row) return;
    const said = row.querySelector<HTMLElement>('.said');
    const act = button.dataset.do === 'save' ? save(row, bytesOf) : copy(textOf(row));
    act.then(
      (text) => say(said, text),
      (error: unknown) => say(said, String((error as Error).message ?? error)),
    );
  });
}

/** The buttons of a record that was opened: thousands of others do not need any. */
function addButtons(row: HTMLElement): void {
  const place = row.querySelector<HTMLElement>('.do');
  if (!place || place.querySelector('button')) return;
  if (place.dataset.save !== undefined) place.append(button('save', 'Save'));
  const said = document.createElement('span');
  said.className = 'said';
  said.setAttribute('role', 'status');
  place.append(button('copy', 'Copy as text'), said);
}

function button(act: string, text: string): HTMLButtonElement {
  const made = document.createElement('button');
  made.type = 'button';
  made.dataset.do = act;
  made.textContent = text;
  return made;
}

function say(place: HTMLElement | null, text: string): void {
  if (place) place.textContent = text;
}

const textOf = (row: Element) => row.querySelector('pre')?.textContent ?? '';
const nameOf = (row: Element) => row.querySelector('.name')?.textContent ?? 'record';

async function save(row: HTMLElement, bytesOf: BytesOf | undefined): Promise<string> {
  const bytes = bytesOf ? await bytesOf(row.id) : bytesInPage(row);
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([bytes], { type: 'application/octet-stream' }));
  link.download = nameOf(row);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  return `${bytes.length} bytes saved.`;
}

/** Where what is shown is not just what is stored, that stands beside it. */
function bytesInPage(row: HTMLElement): Uint8Array<ArrayBuffer> {
  const exact = row.querySelector('.exact')?.textContent;
  if (exact === undefined || exact === null) return new TextEncoder().encode(textOf(row));
  return Uint8Array.from(atob(exact), (character) => character.charCodeAt(0));
}

async function copy(text: string): Promise<string> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyBySelection(text);
  }
  return 'Copied.';
}

/** Where a page may not use the clipboard by itself. */
function copyBySelection(text: string): void {
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (!done) throw new Error('The browser does not allow it; select the text instead.');
}
