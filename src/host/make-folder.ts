import fs from 'node:fs';
import path from 'node:path';

/** For this user alone, with those above it that are missing. (Node's own way never ends where a file system makes no folders, as /proc.) */
export function makeFolder(folder: string): void {
  if (fs.existsSync(folder)) return;
  const above = path.dirname(folder);
  if (above !== folder) makeFolder(above);
  try {
    fs.mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // another process may have been first
    if (!fs.existsSync(folder)) throw error;
  }
}
