// Light or dark: as the system has it, until somebody chooses.

const KEY = 'pstorefuse-theme';

export function startTheme(): void {
  const root = document.documentElement;
  const kept = stored();
  if (kept) root.dataset.theme = kept;
  document.getElementById('theme')?.addEventListener('click', () => {
    const isDark = getComputedStyle(root).colorScheme === 'dark' || (!root.dataset.theme && prefersDark());
    root.dataset.theme = isDark ? 'light' : 'dark';
    try {
      localStorage.setItem(KEY, root.dataset.theme);
    } catch {
      // A page from the disk may have no storage: the choice is then for this page only.
    }
  });
}

const prefersDark = () => matchMedia('(prefers-color-scheme: dark)').matches;

function stored(): 'light' | 'dark' | undefined {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'light' || value === 'dark' ? value : undefined;
  } catch {
    return undefined;
  }
}
