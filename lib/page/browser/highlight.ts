// Marks words in texts without changing the page.

const NAME = 'found';
/** More marks than these help nobody. */
const MAX = 2000;

export function highlight(elements: readonly HTMLElement[], words: readonly string[]): void {
  if (!('highlights' in CSS)) return;
  CSS.highlights.delete(NAME);
  if (words.length === 0) return;
  const ranges: Range[] = [];
  for (const element of elements) collect(element, words, ranges);
  CSS.highlights.set(NAME, new Highlight(...ranges));
}

function collect(element: HTMLElement, words: readonly string[], ranges: Range[]): void {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = (node.textContent ?? '').toLowerCase();
    for (const word of words) {
      for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
        if (ranges.length >= MAX) return;
        const range = document.createRange();
        range.setStart(node, at);
        range.setEnd(node, at + word.length);
        ranges.push(range);
      }
    }
  }
}
